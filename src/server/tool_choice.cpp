#include "server/tool_choice.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Kind = ToolChoice::Kind;

std::optional<Kind> kind_named(std::string_view name) {
  if (name == "none") return Kind::none;
  if (name == "auto") return Kind::automatic;
  if (name == "required") return Kind::required;
  return std::nullopt;
}

// The name in {type: function, function: {name}}, or in {type: function, name} as /responses has it.
std::string function_in(const json::object& choice, const std::string& at) {
  const JsonFields fields(choice, at + ".");
  const json::object* function = fields.object("function");
  const std::optional<std::string> name =
      function ? JsonFields(*function, at + ".function.").string("name") : fields.string("name");
  if (!name || name->empty()) throw invalid_field(at + (function ? ".function.name" : ".function"), "is missing");
  return *name;
}

// {mode, tools}, which may stand within allowed_tools.
void read_allowed(const json::object& choice, ToolChoice& read) {
  const json::object* inner = JsonFields(choice, "tool_choice.").object("allowed_tools");
  const std::string at = inner ? "tool_choice.allowed_tools" : "tool_choice";
  const JsonFields fields(inner ? *inner : choice, at + ".");
  const std::optional<Kind> mode = kind_named(fields.string("mode").value_or("auto"));
  if (!mode || *mode == Kind::none) throw invalid_field(at + ".mode", "must be auto or required");
  read.kind = *mode;
  const json::array* tools = fields.array("tools");
  if (tools == nullptr || tools->empty()) throw invalid_field(at + ".tools", "must have at least one tool");
  for (size_t i = 0; i < tools->size(); ++i) {
    const std::string place = fmt::format("{}.tools[{}]", at, i);
    if (!(*tools)[i].is_object()) throw invalid_field(place, "must be an object with type and function");
    read.functions.push_back(function_in((*tools)[i].get_object(), place));
  }
}

bool offers(const json::array& tools, std::string_view name) {
  return std::any_of(tools.begin(), tools.end(), [&](const json::value& tool) {
    return std::string_view(tool.at("function").at("name").as_string()) == name;
  });
}

}  // namespace

bool ToolChoice::allows(std::string_view function) const {
  return functions.empty() || std::find(functions.begin(), functions.end(), function) != functions.end();
}

ToolChoice read_tool_choice(const JsonFields& fields, const json::array* tools) {
  ToolChoice choice;
  choice.kind = Kind::automatic;
  choice.allows_parallel_calls = fields.boolean("parallel_tool_calls").value_or(true);
  constexpr std::string_view kValues =
      "must be auto, none, required, or an object of type function or allowed_tools with their names";
  if (const json::value* value = fields.find("tool_choice")) {
    if (const json::string* name = value->if_string()) {
      const std::optional<Kind> kind = kind_named(*name);
      if (!kind) throw invalid_field("tool_choice", kValues);
      choice.kind = *kind;
    } else if (const json::object* object = value->if_object()) {
      const std::optional<std::string> type = JsonFields(*object, "tool_choice.").string("type");
      if (type == "function") {
        choice.kind = Kind::required;
        choice.names_function = true;
        choice.functions.push_back(function_in(*object, "tool_choice"));
      } else if (type == "allowed_tools") {
        read_allowed(*object, choice);
      } else {
        throw invalid_field("tool_choice", kValues);
      }
    } else {
      throw invalid_field("tool_choice", kValues);
    }
  }
  const bool has_tools = tools && !tools->empty();
  if (!has_tools && (choice.kind == Kind::required || !choice.functions.empty()))
    throw invalid_field("tool_choice", "asks for a call, but the request has no tools");
  for (const std::string& function : choice.functions)
    if (!offers(*tools, function))
      throw invalid_field("tool_choice", fmt::format("names '{}', which is none of the tools", function));
  if (!has_tools) choice.kind = Kind::none;
  return choice;
}

}  // namespace paro::server
