paro_fuzz(chat_request DEPENDS paro_server)
