"""The five published projects as recipes.

`assumed` lists what their descriptions leave open; nothing else is added.
"""

from __future__ import annotations

from breastcls.experiments.recipes.recipe import Recipe
from breastcls.experiments.recipes.recipe_model import RecipeModel

_ADAM = "Adam, 1e-3 for the new head, then 1e-4 for the whole network, batches of 32"
_NO_VALIDATION = "no validation set: the weights of the last epoch are tested"

# A deep network without normalisation does not converge at 1e-3; one with it needs more epochs at the lower rate.
_SCRATCH = {"learning_rate": 1e-4}

PUBLISHED = (
    Recipe(
        name="vgg16-breakhis",
        title="VGG16 with a new head, fine-tuned",
        summary="VGG16 with a new classifier head, fine-tuned on BreakHis; random image-wise split 70/30.",
        reported="accuracy 89.38%",
        data="breakhis",
        models=(RecipeModel("vgg16", "vgg16", (224, 224), head="linear", reported={"accuracy": 0.8938}),),
        fractions=(0.7, 0.3),
        augment="none",
        fit={"epochs": 30, "batch_size": 32, "learning_rate": 1e-3, "class_weight": None, "fine_tune": True},
        scratch=_SCRATCH,
        assumed=(
            "images stretched to 224x224, the size of VGG16",
            "30 epochs",
            _ADAM,
            "no augmentation and no class weights, since the project describes none",
            _NO_VALIDATION,
        ),
    ),
    Recipe(
        name="vgg19-resnet50-breakhis",
        title="VGG19, ResNet50 and a four-layer CNN compared",
        summary="VGG19, ResNet50 and a four-layer CNN on BreakHis, with augmentation and class balancing, compared by "
        "accuracy, precision, recall, F1 and confusion matrix.",
        reported="up to 97% accuracy (ResNet50)",
        data="breakhis",
        models=(
            RecipeModel("vgg19", "vgg19", (224, 224)),
            RecipeModel("resnet50", "resnet50", (224, 224), reported={"accuracy": 0.97}),
            RecipeModel("cnn4", "cnn4", (224, 224)),
        ),
        fractions=(0.8, 0.2),
        augment="classic",
        fit={"epochs": 30, "batch_size": 32, "learning_rate": 1e-3, "class_weight": "balanced", "fine_tune": True},
        scratch=_SCRATCH,
        metrics=("accuracy", "precision", "recall", "f1", "balanced_accuracy", "roc_auc"),
        assumed=(
            "random image-wise split 80/20",
            "augmentation by rotation, flips, zoom and shift (the policy 'classic')",
            "class balancing by weights in the loss",
            "images stretched to 224x224",
            "30 epochs",
            _ADAM,
            _NO_VALIDATION,
        ),
    ),
    Recipe(
        name="resnet50-breakhis",
        title="ResNet50 at each magnification",
        summary="ResNet50 on BreakHis, the four magnifications compared.",
        data="breakhis",
        models=(RecipeModel("resnet50", "resnet50", (224, 224)),),
        per_magnification=True,
        fractions=(0.8, 0.2),
        augment="none",
        fit={"epochs": 30, "batch_size": 32, "learning_rate": 1e-3, "class_weight": None, "fine_tune": True},
        scratch=_SCRATCH,
        assumed=(
            "random image-wise split 80/20",
            "images stretched to 224x224",
            "30 epochs",
            _ADAM,
            "no augmentation and no class weights, since the project describes none",
            _NO_VALIDATION,
        ),
    ),
    Recipe(
        name="cancernet-idc",
        title="CancerNet on the IDC patches",
        summary="CancerNet at 48x48 with Adagrad at 1e-2, batches of 32, 40 epochs and class weights; random "
        "patch-wise split 80/20 with a tenth of the training part for validation; rotation, zoom, shifts, shear and "
        "flips; confusion matrix, accuracy, precision, recall and F1.",
        reported="no value by the project; the network's own publication gives accuracy 0.837, and its code swaps "
        "sensitivity and specificity",
        data="idc",
        models=(RecipeModel("cancernet", "cancernet", (48, 48), head="flatten-mlp", dropout=0.5),),
        fractions=(0.72, 0.08, 0.2),
        augment="cancernet",
        fit={
            "epochs": 40,
            "batch_size": 32,
            "learning_rate": 1e-2,
            "optimizer": "adagrad",
            "class_weight": "balanced",
            "selection": "val_loss",
        },
        metrics=("accuracy", "precision", "recall", "specificity", "f1", "balanced_accuracy", "roc_auc"),
        assumed=(
            "the epoch with the smallest loss on the validation patches is kept",
            "a shear of 0.05 degrees, which is how Keras reads shear_range=0.05",
        ),
    ),
    Recipe(
        name="vgg16-128-breakhis",
        title="VGG16 with a dense head, and Grad-CAM",
        summary="VGG16 at 128x128 with flattening, a dense layer, batch normalisation and dropout on BreakHis; "
        "rotation, flips, zoom and shift; ROC, precision-recall, confusion matrix and Grad-CAM.",
        reported="accuracy 86.32%",
        data="breakhis",
        models=(RecipeModel("vgg16", "vgg16", (128, 128), head="flatten-mlp", reported={"accuracy": 0.8632}),),
        fractions=(0.8, 0.2),
        augment="classic",
        fit={"epochs": 30, "batch_size": 32, "learning_rate": 1e-3, "class_weight": None, "fine_tune": True},
        scratch=_SCRATCH,
        explain="grad-cam",
        metrics=("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision"),
        assumed=(
            "random image-wise split 80/20",
            "a dense layer of 256, dropout of a half",
            "the reported value is the accuracy",
            "30 epochs",
            _ADAM,
            "no class weights, since the project describes none",
            _NO_VALIDATION,
        ),
    ),
)
