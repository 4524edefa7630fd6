#include "server/answer.h"

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "server/connection.h"
#include "server/sequences.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kShortestWait(1);
constexpr size_t kMostFrameBytes = 32 << 10;  // before they are sent, of a client that has fallen behind

// What a piece comes to in a whole answer: itself, the JSON made of it, and its text.
uint64_t answer_bytes(const ChoicePiece& piece) {
  constexpr uint64_t kCopies = 3, kLogprobBytes = 400;
  uint64_t n_bytes = 0;
  for (const text::ChatDelta& delta : piece.deltas) n_bytes += kCopies * delta.text.size();
  for (const ScoredToken& score : piece.scores) n_bytes += (1 + score.token.best.size()) * kLogprobBytes;
  return n_bytes;
}

class Answer {
 public:
  Answer(Connection& connection, const Service& service, AnswerJob job, AnswerFormat& format)
      : connection_(connection),
        service_(service),
        job_(std::move(job)),
        format_(format),
        sequences_(service.model.engine, service.metrics, connection.wakeup(), wake_for(job_.options),
                   connection.memory_pool()) {
    state_.model_id = service.model.id;
    state_.request_id = connection.request_id();
    state_.n_per_prompt = job_.options.n;
    for (const std::vector<int32_t>& prompt : job_.prompts) state_.n_prompt_tokens += prompt.size();
    if (!format_.keeps_prompts()) return;
    state_.prompts = job_.prompts;
    kept_bytes_ = state_.n_prompt_tokens * sizeof(int32_t);
    connection_.hold_answer(kept_bytes_);
  }

  void submit() {
    const GenerationOptions& options = job_.options;
    for (std::vector<int32_t>& prompt : job_.prompts) {
      const int max_tokens = max_tokens_for(prompt);
      const auto n_tokens = static_cast<int>(prompt.size());
      for (int i = 0; i < options.n; ++i) {
        GenerationRequest request;
        if (i + 1 == options.n && !format_.keeps_prompts()) {
          request.prompt = std::move(prompt);
        } else {
          request.prompt = prompt;
        }
        request.max_tokens = max_tokens;
        request.sampling = options.sampling;
        request.cache_prompt = options.cache_prompt;
        if (options.sampling.seed) request.sampling.seed = *options.sampling.seed + static_cast<uint64_t>(i);
        if (!options.ignore_eos) request.stop_tokens = service_.model.engine.info().stop_tokens;
        if (job_.make_constraint) request.constraint = job_.make_constraint();
        sequences_.submit(std::move(request), options.stream && (options.return_progress || options.timings_per_token));
        state_.choices.emplace_back(format_.make_parser(), options.stop,
                                    options.sampling.n_logprobs >= 0 || format_.keeps_tokens());
        state_.paces.emplace_back(n_tokens);
      }
    }
  }

  asio::awaitable<void> stream() {
    co_await connection_.begin_events();
    std::exception_ptr failure;
    try {
      co_await send_frames();
    } catch (const boost::system::system_error&) {  // of the socket: nobody is left to tell
      throw;
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) {
      const ApiError error = api_error_of(failure);
      co_await connection_.fail_events(error, format_.failure(state_, error));
    } else {
      co_await connection_.end_events();
    }
  }

  asio::awaitable<void> whole() {
    std::vector<ChoicePiece> pieces(state_.choices.size());
    uint64_t n_bytes = 0;
    while (!sequences_.all_ended()) {
      co_await connection_.wait(service_.options.ping_interval);
      for (SequenceEvent& event : sequences_.take()) {
        ChoicePiece piece = read(event);
        n_bytes += answer_bytes(piece);
        pieces[event.sequence].append(std::move(piece));
      }
      connection_.hold_answer(kept_bytes_ + n_bytes);
    }
    co_await connection_.respond(200, format_.whole(state_, pieces));
  }

 private:
  // A stop string ends the sequence as soon as it is read.
  static WakeFor wake_for(const GenerationOptions& options) {
    return options.stream || !options.stop.empty() ? WakeFor::each : WakeFor::many;
  }

  int max_tokens_for(const std::vector<int32_t>& prompt) const {
    const int64_t max_context = service_.model.engine.info().max_context;
    const auto n_prompt = static_cast<int64_t>(prompt.size());
    const int64_t left = max_context - n_prompt;
    if (left < 1) throw context_exceeded(job_.prompt_field, n_prompt, 1, max_context);
    const int64_t usual = std::min<int64_t>(service_.options.max_tokens.value_or(static_cast<int>(left)), left);
    const int64_t wanted = job_.options.max_tokens.value_or(static_cast<int>(usual));
    if (wanted > left && !job_.options.clips_max_tokens)
      throw context_exceeded(job_.options.max_tokens_field, n_prompt, wanted, max_context);
    return static_cast<int>(std::min(wanted, left));
  }

  asio::awaitable<void> send_frames() {
    std::string frames = format_.opening(state_);
    co_await connection_.send_events(std::exchange(frames, {}));

    const std::chrono::milliseconds ping_interval = service_.options.ping_interval;
    auto next_ping = Clock::now() + ping_interval;
    while (!state_.finished()) {
      co_await connection_.wait(std::max(ceil<std::chrono::milliseconds>(next_ping - Clock::now()), kShortestWait));
      std::exception_ptr failure;  // told after what was built before it
      try {
        for (SequenceEvent& event : sequences_.take()) {
          frames += frames_of(event);
          if (frames.size() >= kMostFrameBytes) co_await connection_.send_events(std::exchange(frames, {}));
        }
      } catch (...) {
        failure = std::current_exception();
      }
      if (frames.empty() && Clock::now() >= next_ping) frames = format_.ping();
      if (!frames.empty()) {
        co_await connection_.send_events(std::exchange(frames, {}));
        next_ping = Clock::now() + ping_interval;
      }
      if (failure) std::rethrow_exception(failure);
    }
    co_await connection_.send_events(format_.ending(state_));
  }

  std::string frames_of(SequenceEvent& event) {
    state_.paces[event.sequence].note(event);
    if (std::holds_alternative<PrefillProgress>(event.what))
      return job_.options.return_progress ? format_.progress(state_, event.sequence) : std::string();
    const ChoicePiece piece = read(event);
    std::string frames = format_.piece(state_, event.sequence, piece);
    if (state_.choices[event.sequence].finished()) {
      const ChoicePiece rest{{}, piece.deltas.empty() ? piece.scores : std::vector<ScoredToken>()};
      frames += format_.closing(state_, event.sequence, rest);
    }
    return frames;
  }

  ChoicePiece read(SequenceEvent& event) {
    Choice& choice = state_.choices[event.sequence];
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

  Connection& connection_;
  const Service& service_;
  AnswerJob job_;  // whose prompts become the engine's, unless the format keeps them
  uint64_t kept_bytes_ = 0;
  AnswerFormat& format_;
  Sequences sequences_;
  AnswerState state_;
};

}  // namespace

bool AnswerState::finished() const {
  return std::all_of(choices.begin(), choices.end(), [](const Choice& choice) { return choice.finished(); });
}

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
