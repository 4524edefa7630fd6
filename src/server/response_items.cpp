#include "server/response_items.h"

#include <array>
#include <utility>

#include "server/identifiers.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Kind = ResponseItem::Kind;

constexpr std::array<std::string_view, 4> kIdPrefixes{"rs_", "rs_", "msg_", "fc_"};  // by Kind

constexpr std::array kEvents{
    ResponseItemEvents{"response.content_part", "response.reasoning_text", "content_index", "text"},
    ResponseItemEvents{"response.reasoning_summary_part", "response.reasoning_summary_text", "summary_index", "text"},
    ResponseItemEvents{"response.content_part", "response.output_text", "content_index", "text"},
    ResponseItemEvents{"", "response.function_call_arguments", "", "arguments"},
};

}  // namespace

const ResponseItemEvents& events_of(Kind kind) { return kEvents[static_cast<size_t>(kind)]; }

ResponseItem::ResponseItem(Kind item_kind, std::string_view function_name)
    : kind(item_kind), id(random_id(kIdPrefixes[static_cast<size_t>(item_kind)])), name(function_name) {
  if (kind == Kind::function_call) call_id = random_id("call_");
}

json::object ResponseItem::json() const {
  json::array parts;
  if (status != "in_progress") parts.emplace_back(part(false));
  json::object item;
  item["id"] = id;
  switch (kind) {
    case Kind::reasoning:
      item["type"] = "reasoning";
      item["summary"] = json::array();
      item["content"] = std::move(parts);
      break;
    case Kind::reasoning_summary:
      item["type"] = "reasoning";
      item["summary"] = std::move(parts);
      break;
    case Kind::message:
      item["type"] = "message";
      item["role"] = "assistant";
      item["content"] = std::move(parts);
      break;
    case Kind::function_call:
      item["type"] = "function_call";
      item["call_id"] = call_id;
      item["name"] = name;
      item["arguments"] = text;
      break;
  }
  item["status"] = status;
  return item;
}

json::object ResponseItem::part(bool is_empty) const {
  json::object part;
  switch (kind) {
    case Kind::reasoning:
      part["type"] = "reasoning_text";
      break;
    case Kind::reasoning_summary:
      part["type"] = "summary_text";
      break;
    case Kind::message:
      part["type"] = "output_text";
      part["annotations"] = json::array();
      part["logprobs"] = is_empty ? json::array() : logprobs;
      break;
    case Kind::function_call:
      break;
  }
  part["text"] = is_empty ? std::string() : text;
  return part;
}

}  // namespace paro::server
