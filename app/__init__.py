"""The lab in the browser: a thin Streamlit page over ``recam_core``. Nothing is computed here."""
