"""Tips: what people told of scalpers, for people to read."""

from fastapi import APIRouter

routes = APIRouter(prefix="/api/v1/staff", tags=["tips"])
