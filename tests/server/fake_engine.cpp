#include "tests/server/fake_engine.h"

#include <algorithm>
#include <utility>

namespace paro {

FakeEngine::FakeEngine() {
  model_info.architecture = "fake";
  model_info.max_context = 512;
  model_info.max_batch = 4;
  model_info.hidden_size = 4;
  worker_ = std::thread([this] { work(); });
}

FakeEngine::~FakeEngine() {
  stop({});
  worker_.join();
}

EngineStatus FakeEngine::status() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<int>(sequences_.size()), n_waiting, prefix};
}

std::vector<SequenceStatus> FakeEngine::sequences() const {
  const std::lock_guard lock(mutex_);
  std::vector<SequenceStatus> all;
  for (const auto& [id, s] : sequences_) {
    const int n_prompt = static_cast<int>(s->request.prompt.size());
    all.push_back({.id = id,
                   .n_prompt_tokens = n_prompt,
                   .n_prefilled_tokens = s->n_told > 0 ? n_prompt : 0,
                   .n_generated_tokens = static_cast<int>(s->n_told),
                   .max_tokens = s->request.max_tokens,
                   .in_prefill = s->n_told == 0});
  }
  return all;
}

GenerationId FakeEngine::submit(GenerationRequest request, std::shared_ptr<GenerationListener> listener) {
  if (submit_error) throw *submit_error;
  const std::lock_guard lock(mutex_);
  if (stopping_ || sequences_.size() >= capacity) throw Error(ErrorKind::unavailable, "engine: the queue is full");
  auto sequence = std::make_shared<Sequence>();
  sequence->script = script(request);
  sequence->request = request;
  sequence->listener = std::move(listener);
  sequence->next = Clock::now() + sequence->script.prefill;
  requests_.push_back(std::move(request));
  sequences_[++last_id_] = std::move(sequence);
  changed_.notify_all();
  return last_id_;
}

void FakeEngine::cancel(GenerationId id) {
  const std::lock_guard lock(mutex_);
  const auto found = sequences_.find(id);
  if (found == sequences_.end() || std::exchange(found->second->cancelled, true)) return;
  ++n_cancelled_;
  changed_.notify_all();
}

void FakeEngine::stop(std::chrono::milliseconds) {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

std::vector<GenerationRequest> FakeEngine::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

size_t FakeEngine::n_cancelled() const {
  const std::lock_guard lock(mutex_);
  return n_cancelled_;
}

bool FakeEngine::wait_until_idle(std::chrono::milliseconds most) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return sequences_.empty(); });
}

bool FakeEngine::wait_for_requests(size_t n, std::chrono::milliseconds most) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return requests_.size() >= n; });
}

void FakeEngine::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto sequences = sequences_;
    const auto now = Clock::now();
    auto next = now + std::chrono::milliseconds(50);
    for (const auto& [id, sequence] : sequences) {
      if (sequence->next > now && !sequence->cancelled) {
        next = std::min(next, sequence->next);
        continue;
      }
      lock.unlock();
      const bool goes_on = step(*sequence);
      lock.lock();
      if (goes_on) {
        next = std::min(next, sequence->next);
      } else {
        sequences_.erase(id);
        changed_.notify_all();
      }
    }
    changed_.wait_until(lock, next);
  }
}

bool FakeEngine::step(Sequence& sequence) {
  GenerationEnd end;
  end.n_prompt_tokens = static_cast<int>(sequence.request.prompt.size());
  end.n_generated_tokens = static_cast<int>(sequence.n_told);
  end.queue_ms = 5;
  end.prefill_ms = 10;
  end.decode_ms = 20;
  bool cancelled;
  {
    const std::lock_guard lock(mutex_);
    cancelled = sequence.cancelled;
  }
  const Script& script_of = sequence.script;
  const bool out_of_tokens = !script_of.endless && sequence.n_told == script_of.tokens.size();
  if (cancelled) {
    end.reason = FinishReason::cancelled;
  } else if (sequence.request.pooling != Pooling::none && !script_of.error) {
    sequence.listener->on_embedding(embedding);
  } else if (out_of_tokens && script_of.error) {
    end.reason = FinishReason::failed;
    end.error = script_of.error;
  } else if (out_of_tokens) {
    end.reason = FinishReason::stop;
    end.n_generated_tokens += 1;  // the stop token
  } else if (sequence.n_told == static_cast<size_t>(sequence.request.max_tokens)) {
    end.reason = FinishReason::length;
  } else {
    if (sequence.n_told == 0) {
      sequence.listener->on_start(0, end.n_prompt_tokens);
      sequence.listener->on_prefill(end.n_prompt_tokens / 2, end.n_prompt_tokens);
      sequence.listener->on_prefill(end.n_prompt_tokens, end.n_prompt_tokens);
    }
    SampledToken token;
    token.id = script_of.tokens[sequence.n_told++ % script_of.tokens.size()];
    if (sequence.request.sampling.n_logprobs >= 0) {
      token.logprob = -0.5f;
      for (int i = 0; i < sequence.request.sampling.n_logprobs; ++i)
        token.best.push_back({token.id + i, -0.5f * static_cast<float>(i + 1)});
    }
    sequence.next = Clock::now() + script_of.per_token;
    sequence.listener->on_token(token);
    return true;
  }
  sequence.listener->on_end(end);
  return false;
}

}  // namespace paro
