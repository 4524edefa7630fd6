#include "text/tokenizer_template.h"

#include <fmt/format.h>

#include "base/error.h"

namespace paro::text {

TokenTemplate::TokenTemplate(const JsonNode& node) { add(node); }

// Nesting is bounded by the depth that the JSON parser admits.
void TokenTemplate::add(const JsonNode& node) {
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const JsonNode& item : node.at("processors").items()) add(item);
  } else if (type == "TemplateProcessing") {
    if (has_template_) node.unsupported("a second TemplateProcessing");
    has_template_ = true;
    read_template(node);
  } else if (type != "ByteLevel") {  // which only trims offsets
    node.unsupported(fmt::format("post-processor '{}'", type));
  }
}

void TokenTemplate::read_template(const JsonNode& node) {
  const JsonNode tokens = node.at("special_tokens");
  bool seen_text = false;
  for (const JsonNode& piece : node.at("single").items()) {
    if (const auto sequence = piece.find("Sequence")) {
      const JsonNode id = sequence->at("id");
      if (id.text() != "A") id.fail("'A', the only sequence of a single text");
      if (seen_text) id.unsupported("the text twice");
      seen_text = true;
    } else if (const auto special = piece.find("SpecialToken")) {
      for (const JsonNode& id : tokens.at(special->at("id").text()).at("ids").items()) {
        (seen_text ? after_ : before_).push_back(int32_t(id.integer(0, INT32_MAX)));
      }
    } else {
      piece.fail("an object with 'Sequence' or 'SpecialToken'");
    }
  }
  if (!seen_text) node.unsupported("a template without the text");
}

std::vector<int32_t> TokenTemplate::apply(std::vector<int32_t> text_ids) const {
  text_ids.insert(text_ids.begin(), before_.begin(), before_.end());
  text_ids.insert(text_ids.end(), after_.begin(), after_.end());
  return text_ids;
}

}  // namespace paro::text
