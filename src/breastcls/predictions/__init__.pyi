from .member_predictions import predict_members as predict_members
