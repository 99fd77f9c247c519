from .aggregation import Aggregation as Aggregation
from .member_predictions import predict_members as predict_members
from .pseudonyms import Pseudonyms as Pseudonyms
from .ray_workers import RayWorkers as RayWorkers
from .shared_model import save_model_with_pseudonyms as save_model_with_pseudonyms
from .streamed_output import PredictionFile as PredictionFile
from .streamed_output import predict_to_file as predict_to_file
from .unlike_training import describe_differences as describe_differences
