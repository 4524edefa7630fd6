// From prompts to an answer on the wire: one path for every generating route, streamed or whole. The routes differ in
// their AnswerFormat.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/choice.h"
#include "server/generation_options.h"
#include "text/chat_format.h"

namespace paro::server {

class Connection;
struct Service;

// How choices look in a route's JSON. `prompt` and `index` count from 0.
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  virtual std::string_view id_prefix() const = 0;
  virtual std::string_view object_name(bool is_chunk) const = 0;
  virtual std::unique_ptr<text::ChatParser> make_parser() const = 0;

  // Members of `choices`, each sent as one chunk.
  virtual std::vector<boost::json::object> opening(int index) = 0;
  virtual std::vector<boost::json::object> piece(int index, const ChoicePiece& piece) = 0;
  virtual boost::json::object closing(int index, const ChoicePiece& rest, std::string_view finish_reason) = 0;

  virtual boost::json::object whole(int index, const ChoicePiece& all, std::string_view finish_reason) = 0;
};

struct AnswerJob {
  std::vector<std::vector<int32_t>> prompts;
  std::string_view prompt_field;  // for messages about its length
  GenerationOptions options;
};

// Queues the sequences, then answers. Throws what went wrong before or while they ran.
boost::asio::awaitable<void> answer(Connection& connection, const Service& service, AnswerJob job,
                                    AnswerFormat& format);

}  // namespace paro::server
