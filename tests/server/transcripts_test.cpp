// The demo model's greedy answers, with tools, thoughts and several turns, token for token as transformers gave them:
// from the request's JSON through template and tokenizer to the engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "base/file.h"
#include "engine/batch_engine.h"
#include "server/chat_request.h"
#include "server/metrics.h"
#include "server/prompt_tokens.h"
#include "tests/models/backends.h"

namespace paro {
namespace {

namespace json = boost::json;

constexpr double kCloseCall = 0.05;  // of log-probability, between the two best tokens
constexpr int kMaxDifferent = 2;

const std::filesystem::path kRoot = PARO_SOURCE_DIR;

struct Transcript {
  std::vector<int32_t> prompt, completion;
};

class Served {
 public:
  explicit Served(std::unique_ptr<Backend> backend)
      : tokenizer_(text::Tokenizer::from_json(read_text_file(kRoot / "models/demo/tokenizer.json", 1 << 26))),
        template_(text::ChatTemplate::parse(read_text_file(kRoot / "models/demo/chat_template.jinja", 1 << 20))),
        engine_(open_engine(options(), std::move(backend))),
        service_({},
                 {.id = "demo",
                  .engine = *engine_,
                  .tokenizer = tokenizer_,
                  .chat_template = &template_,
                  .bos_token = "<bos>",
                  .eos_token = "<eos>"},
                 std::make_shared<server::Metrics>()) {}

  Transcript read(const json::object& stored) const {
    json::object body{{"messages", stored.at("messages")},
                      {"chat_template_kwargs", {{"enable_thinking", stored.at("thinking")}}}};
    if (!stored.at("tools").is_null()) body["tools"] = stored.at("tools");
    const auto request = server::read_chat_request(body, {}, engine_->info().vocab_size);
    return {server::chat_prompt_tokens(request, service_),
            json::value_to<std::vector<int32_t>>(stored.at("completion_ids"))};
  }

  // Greedy, the stop token included.
  std::vector<int32_t> answer(const std::vector<int32_t>& prompt, int max_tokens) {
    GenerationRequest request;
    request.prompt = prompt;
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    request.stop_tokens = engine_->info().stop_tokens;
    const Generation generation = generate(*engine_, request);
    std::vector<int32_t> ids;
    for (const SampledToken& token : generation.tokens) ids.push_back(token.id);
    if (generation.end.stop_token) ids.push_back(*generation.end.stop_token);
    return ids;
  }

  // By how much the best token leads after these.
  double lead(const std::vector<int32_t>& tokens) {
    GenerationRequest request;
    request.prompt = tokens;
    request.max_tokens = 1;
    request.sampling.temperature = 0;
    request.sampling.n_logprobs = 2;
    const auto best = generate(*engine_, request).tokens.at(0).best;
    return best.at(0).logprob - best.at(1).logprob;
  }

 private:
  static EngineOptions options() {
    EngineOptions options;
    options.model = kRoot / "models/demo";
    options.max_context = 2048;
    options.max_batch = 1;
    options.prefill_chunk = 128;
    return options;
  }

  text::Tokenizer tokenizer_;
  text::ChatTemplate template_;
  std::unique_ptr<Engine> engine_;
  server::Service service_;
};

class DemoTranscripts : public ::testing::TestWithParam<test::BackendCase> {};

TEST_P(DemoTranscripts, ComeOutTokenForToken) {
  const json::value stored = json::parse(read_text_file(kRoot / "tests/goldens/demo_transcripts.json", 1 << 20));
  const bool is_reference = GetParam().name == "reference";
  Served served(GetParam().make(2));
  int n_different = 0;
  for (const json::value& entry : stored.as_array()) {
    const Transcript transcript = served.read(entry.as_object());
    ASSERT_EQ(int64_t(transcript.prompt.size()), entry.at("prompt_tokens").as_int64());
    const auto ids = served.answer(transcript.prompt, int(transcript.completion.size()));
    if (ids == transcript.completion) continue;
    ++n_different;
    ASSERT_FALSE(is_reference) << json::serialize(entry.at("messages"));

    // Where the two part, the choice has to be a close one by the reference's own account.
    const auto parts =
        std::mismatch(ids.begin(), ids.end(), transcript.completion.begin(), transcript.completion.end());
    std::vector<int32_t> common = transcript.prompt;
    common.insert(common.end(), ids.begin(), parts.first);
    Served reference(make_reference_backend());
    EXPECT_LT(reference.lead(common), kCloseCall) << json::serialize(entry.at("messages"));
  }
  EXPECT_EQ(stored.as_array().size(), 24u);
  EXPECT_LE(n_different, is_reference ? 0 : kMaxDifferent);
  RecordProperty("different", n_different);
}

INSTANTIATE_TEST_SUITE_P(All, DemoTranscripts, ::testing::ValuesIn(test::all_backends()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace paro
