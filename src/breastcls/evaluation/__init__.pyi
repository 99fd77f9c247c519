from .evaluation_schema import read_schema as read_schema
