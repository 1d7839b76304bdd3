"""Fitted estimators of scikit-learn's, read as networks; scikit-learn itself is not imported."""
