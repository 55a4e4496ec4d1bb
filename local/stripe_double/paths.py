"""Where the gateway has the double."""

PATH = "/_local/stripe"
API_PATH = f"{PATH}/api"
