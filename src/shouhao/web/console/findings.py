"""Findings: what the detectors said of the nights, for people to judge."""

from fastapi import APIRouter

routes = APIRouter(prefix="/api/v1/staff", tags=["findings"])
