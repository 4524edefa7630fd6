paro_fuzz(message_request DEPENDS paro_server)
