from .contact_sheet import augment_images as augment_images
from .contact_sheet import save_contact_sheet as save_contact_sheet
from .policy import Policy as Policy
from .policy_registry import find_policy as find_policy
from .policy_registry import list_policies as list_policies
from .policy_registry import register_policy as register_policy
