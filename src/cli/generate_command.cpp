// paro generate: one prompt, one answer, streamed to standard output.
#include <atomic>
#include <boost/json/array.hpp>
#include <iostream>
#include <iterator>

#include "base/error.h"
#include "cli/answer.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "cli/text_model.h"
#include "engine/batch_engine.h"

namespace paro::cli {
namespace {

namespace json = boost::json;

std::string_view to_string(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
    case FinishReason::failed:
      return "failed";
  }
  return "failed";
}

class Generate final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_);
    app.add_option("PROMPT", prompt_, "The prompt, or - to read it from standard input")->required();
    app.add_option("--system", system_, "What the model is told before the prompt");
    app.add_option("--max-tokens", max_tokens_, "Tokens of the answer (default: what the context leaves)")
        ->check(CLI::PositiveNumber);
    app.add_flag("--raw", raw_, "Continue the text as it stands, without the chat template");
    app.add_flag("--think", think_, "Let a model think that can");
    app.add_flag("--json", json_, "Print text, ids, usage and timings as JSON");
    sampling_.add_to(app);
    common_.add_to(app);
  }

  int run() override {
    check_model_directory(model_);
    EngineOptions options = common_.engine_options(model_);
    const TextModel text = TextModel::load(model_);
    GenerationRequest request;
    request.prompt = encode(text);
    options.other_memory = text.memory();
    if (options.max_batch == 0) options.max_batch = 1;
    const auto engine = open_engine(options, common_.make_backend(), progress_bar("loading"));

    request.max_tokens = answer_tokens(engine->info(), request.prompt.size(), max_tokens_);
    request.sampling = sampling_.over(engine->info().default_sampling);
    request.stop_tokens = engine->info().stop_tokens;
    const text::ChatFormat& format = text.chat_format();
    const auto parser =
        raw_
            ? text::make_plain_parser(text.tokenizer)
            : format.make_parser(text.tokenizer, {.in_thought = format.thought_at_end(text.tokenizer, request.prompt) ==
                                                                text::ThoughtState::open});
    AnswerPrinter printer;
    const auto show = [&](const text::ChatDelta& delta) {
      if (!json_) printer.show(delta);
    };
    const std::atomic<bool> never{false};
    const Answer answer = stream_answer(*engine, std::move(request), *parser, show, never);
    if (json_) {
      print_json(to_json(answer));
    } else {
      print("\n");
    }
    return 0;
  }

 private:
  std::vector<int32_t> encode(const TextModel& text) const {
    std::string prompt = prompt_;
    if (prompt == "-") prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (raw_) return text.tokenizer.encode(prompt, true);
    json::array messages;
    if (!system_.empty()) messages.push_back({{"role", "system"}, {"content", system_}});
    messages.push_back({{"role", "user"}, {"content", prompt}});
    return text.encode_chat(messages, think_);
  }

  static json::object to_json(const Answer& answer) {
    const GenerationEnd& end = answer.end;
    return {{"text", answer.content},
            {"reasoning", answer.reasoning},
            {"ids", json::array(answer.ids.begin(), answer.ids.end())},
            {"finish_reason", to_string(end.reason)},
            {"usage",
             {{"prompt_tokens", end.n_prompt_tokens},
              {"cached_tokens", end.n_cached_tokens},
              {"completion_tokens", end.n_generated_tokens}}},
            {"timings",
             {{"prefill_ms", end.prefill_ms},
              {"prefill_tokens_per_s", answer.prefill_tokens_per_s()},
              {"decode_ms", end.decode_ms},
              {"decode_tokens_per_s", answer.decode_tokens_per_s()}}}};
  }

  std::filesystem::path model_;
  std::string prompt_, system_;
  int max_tokens_ = 0;
  bool raw_ = false, think_ = false, json_ = false;
  SamplingFlags sampling_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_generate() { return std::make_unique<Generate>(); }

}  // namespace paro::cli
