paro_fuzz(response_request DEPENDS paro_server)
