#include "server/answer.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "server/connection.h"
#include "server/identifiers.h"
#include "server/json_text.h"
#include "server/sequences.h"
#include "server/usage.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kShortestWait(1);

class Answer {
 public:
  Answer(Connection& connection, const Service& service, AnswerJob job, AnswerFormat& format)
      : connection_(connection),
        service_(service),
        job_(std::move(job)),
        format_(format),
        sequences_(service.model.engine, service.metrics, connection.wakeup()),
        id_(random_id(format.id_prefix())),
        created_(seconds_since_1970()) {}

  void submit() {
    const GenerationOptions& options = job_.options;
    for (const std::vector<int32_t>& prompt : job_.prompts) {
      const int max_tokens = max_tokens_for(prompt);
      for (int i = 0; i < options.n; ++i) {
        GenerationRequest request;
        request.prompt = prompt;
        request.max_tokens = max_tokens;
        request.sampling = options.sampling;
        if (options.sampling.seed) request.sampling.seed = *options.sampling.seed + static_cast<uint64_t>(i);
        if (!options.ignore_eos) request.stop_tokens = service_.model.engine.info().stop_tokens;
        sequences_.submit(std::move(request));
        choices_.emplace_back(format_.make_parser(), options.stop, options.sampling.n_logprobs >= 0);
      }
    }
  }

  asio::awaitable<void> stream() {
    co_await connection_.begin_events();
    std::string frames;
    for (size_t i = 0; i < choices_.size(); ++i) append(frames, format_.opening(static_cast<int>(i)));
    co_await connection_.send_events(std::exchange(frames, {}));

    const std::chrono::milliseconds ping_interval = service_.options.ping_interval;
    auto next_ping = Clock::now() + ping_interval;
    while (n_finished_ < choices_.size()) {
      co_await connection_.wait(std::max(ceil<std::chrono::milliseconds>(next_ping - Clock::now()), kShortestWait));
      std::exception_ptr failure;  // told after what was built before it
      try {
        for (SequenceEvent& event : sequences_.take()) append(frames, event);
      } catch (...) {
        failure = std::current_exception();
      }
      if (frames.empty() && Clock::now() >= next_ping) frames = ": keep-alive\n\n";
      if (!frames.empty()) {
        co_await connection_.send_events(std::exchange(frames, {}));
        next_ping = Clock::now() + ping_interval;
      }
      if (failure) std::rethrow_exception(failure);
    }

    if (job_.options.include_usage) {
      json::object chunk = envelope(true, {});
      chunk["choices"] = json::array();
      chunk["usage"] = usage();
      chunk["timings"] = timings_of(choices_);
      append(frames, chunk);
    }
    frames += "data: [DONE]\n\n";
    co_await connection_.send_events(std::move(frames));
    co_await connection_.end_events();
  }

  asio::awaitable<void> whole() {
    std::vector<ChoicePiece> pieces(choices_.size());
    while (!sequences_.all_ended()) {
      co_await connection_.wait(service_.options.ping_interval);
      for (SequenceEvent& event : sequences_.take()) pieces[event.sequence].append(read(event));
    }
    json::array choices;
    for (size_t i = 0; i < choices_.size(); ++i)
      choices.emplace_back(format_.whole(static_cast<int>(i), pieces[i], choices_[i].finish_reason()));
    json::object body = envelope(false, {});
    body["choices"] = std::move(choices);
    body["usage"] = usage();
    body["timings"] = timings_of(choices_);
    co_await connection_.respond(200, std::move(body));
  }

 private:
  int max_tokens_for(const std::vector<int32_t>& prompt) const {
    const int64_t max_context = service_.model.engine.info().max_context;
    const auto n_prompt = static_cast<int64_t>(prompt.size());
    const int64_t left = max_context - n_prompt;
    if (left < 1) throw context_exceeded(job_.prompt_field, n_prompt, 1, max_context);
    const int64_t wanted = job_.options.max_tokens.value_or(static_cast<int>(left));
    if (wanted > left) throw context_exceeded(job_.options.max_tokens_field, n_prompt, wanted, max_context);
    return static_cast<int>(wanted);
  }

  ChoicePiece read(SequenceEvent& event) {
    Choice& choice = choices_[event.sequence];
    if (const SampledToken* token = std::get_if<SampledToken>(&event.what)) {
      const bool was_stopped = choice.stopped();
      ChoicePiece piece = choice.push(*token);
      if (choice.stopped() && !was_stopped) sequences_.stop(event.sequence);
      return piece;
    }
    const GenerationEnd& end = std::get<GenerationEnd>(event.what);
    if (!choice.stopped()) {
      if (end.reason == FinishReason::failed)
        throw end.error.value_or(Error(ErrorKind::internal, "internal: the sequence failed"));
      if (end.reason == FinishReason::cancelled) throw Error(ErrorKind::unavailable, "server: it is stopping");
    }
    return choice.finish(end);
  }

  json::object usage() const {
    size_t n_prompt_tokens = 0;
    for (const std::vector<int32_t>& prompt : job_.prompts) n_prompt_tokens += prompt.size();
    return usage_of(choices_, n_prompt_tokens, job_.options.n);
  }

  json::object envelope(bool is_chunk, json::object choice) const {
    json::object object;
    object["id"] = id_;
    object["object"] = format_.object_name(is_chunk);
    object["created"] = created_;
    object["model"] = service_.model.id;
    object["system_fingerprint"] = kSystemFingerprint;
    json::array choices;
    if (!choice.empty()) choices.emplace_back(std::move(choice));
    object["choices"] = std::move(choices);
    return object;
  }

  // What an event adds to the stream.
  void append(std::string& frames, SequenceEvent& event) {
    const auto index = static_cast<int>(event.sequence);
    const ChoicePiece piece = read(event);
    append(frames, format_.piece(index, piece));
    const Choice& choice = choices_[event.sequence];
    if (!choice.finished()) return;
    ++n_finished_;
    const ChoicePiece rest{{}, piece.deltas.empty() ? piece.scores : std::vector<ScoredToken>()};
    json::object chunk = envelope(true, format_.closing(index, rest, choice.finish_reason()));
    if (n_finished_ == choices_.size() && !job_.options.include_usage) chunk["timings"] = timings_of(choices_);
    append(frames, chunk);
  }

  static void append(std::string& frames, const json::object& chunk) {
    frames += "data: ";
    frames += json_text(chunk);
    frames += "\n\n";
  }

  void append(std::string& frames, std::vector<json::object> choices) const {
    for (json::object& choice : choices) append(frames, envelope(true, std::move(choice)));
  }

  Connection& connection_;
  const Service& service_;
  const AnswerJob job_;
  AnswerFormat& format_;
  Sequences sequences_;
  std::vector<Choice> choices_;
  size_t n_finished_ = 0;  // of them, in a stream
  const std::string id_;
  const int64_t created_;
};

}  // namespace

asio::awaitable<void> answer(Connection& connection, const Service& service, AnswerJob job, AnswerFormat& format) {
  const bool streams = job.options.stream;
  Answer answer(connection, service, std::move(job), format);
  answer.submit();
  if (streams) {
    co_await answer.stream();
  } else {
    co_await answer.whole();
  }
}

}  // namespace paro::server
