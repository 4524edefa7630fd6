// Bodies of /completion and /embeddings through checking and tokenizing. What is wrong must be a 400; what is right
// must be what an engine takes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "expect_400.h"
#include "server/api_error.h"
#include "server/embedding_request.h"
#include "server/json_fields.h"
#include "server/json_text.h"
#include "server/metrics.h"
#include "server/native_options.h"
#include "server/prompt_list.h"

namespace {

using namespace paro;
using namespace paro::server;

// Tells what is served, and is asked for nothing else.
class SilentEngine : public Engine {
 public:
  SilentEngine() {
    info_.vocab_size = 128;
    info_.hidden_size = 8;
    info_.max_context = 64;
    info_.max_batch = 1;
    info_.stop_tokens = {1};
  }
  const ModelInfo& info() const override { return info_; }
  MemoryReport memory() const override { return {}; }
  EngineStatus status() const override { return {}; }
  std::vector<SequenceStatus> sequences() const override { return {}; }
  GenerationId submit(GenerationRequest, std::shared_ptr<GenerationListener>) override { std::abort(); }
  void cancel(GenerationId) override {}
  void stop(std::chrono::milliseconds) override {}

 private:
  ModelInfo info_;
};

// Each letter of ASCII is a token.
text::Tokenizer letters() {
  std::string vocab;
  for (int id = 0; id < 128; ++id) vocab += fmt::format("{}\"\\u{:04X}\":{}", id ? "," : "", id, id);
  return text::Tokenizer::from_json(R"({"model":{"type":"BPE","vocab":{)" + vocab +
                                    R"(},"merges":[]},"added_tokens":[],"normalizer":null,"pre_tokenizer":null,)"
                                    R"("post_processor":null,"decoder":{"type":"Fuse"}})");
}

const Service& service() {
  static SilentEngine engine;
  static const text::Tokenizer tokenizer = letters();
  static const Service instance(ServerOptions(), ServedModel{"model", engine, tokenizer, nullptr, "", "", "{}"},
                                std::make_shared<Metrics>());
  return instance;
}

void check_prompts(const std::vector<std::vector<int32_t>>& prompts) {
  require(!prompts.empty());
  for (const std::vector<int32_t>& prompt : prompts) {
    require(!prompt.empty());
    for (const int32_t id : prompt) require(id >= 0 && id < 128);
  }
}

void read_options(const boost::json::object& body) {
  const NativeOptions options = read_native_options(body, service());
  const SamplingOptions& sampling = options.generation.sampling;
  require(options.generation.n >= 1 && options.generation.max_tokens.value_or(1) >= 1);
  require(sampling.temperature >= 0 && sampling.top_p > 0 && sampling.top_p <= 1 && sampling.top_k >= 0);
  require(sampling.penalty_window.value() >= 0);
  for (const auto& [id, bias] : sampling.logit_bias) require(id >= 0 && id < 128);
  require(!json_text(generation_settings(options)).empty());
}

void read_embedding(const boost::json::object& body) {
  const EmbeddingRequest request = read_embedding_request(body, service());
  check_prompts(request.inputs);
  for (const std::vector<int32_t>& input : request.inputs) require(input.size() <= 64);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  expect_400([&] {
    const boost::json::object body = parse_body(text);
    expect_400([&] { read_options(body); });
    expect_400([&] { read_embedding(body); });
    if (const boost::json::value* prompt = JsonFields(body).find("prompt"))
      expect_400([&] { check_prompts(read_prompt_list(*prompt, "prompt", service()).prompts); });
  });
  return 0;
}
