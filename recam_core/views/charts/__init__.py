"""Charts by Plotly: one builder a chart, which returns a figure and knows neither Streamlit nor HTML."""
