"""Fitted estimators: scikit-learn, boosters, and whatever predicts as they do."""
