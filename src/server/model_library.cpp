#include "server/model_library.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace paro::server {
namespace {

int64_t now_s() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct ModelLibrary::Ticket {
  Entry* entry = nullptr;
  std::shared_ptr<Wakeup> wakeup;
  bool waits = false;
  bool holds = false;
  std::exception_ptr failure;
};

ModelLibrary::ModelLibrary(std::vector<ServableModel> models, const Limits& limits, std::shared_ptr<Metrics> metrics)
    : limits_(limits), started_at_(now_s()), metrics_(std::move(metrics)) {
  PARO_CHECK(!models.empty());
  for (ServableModel& model : models) {
    entries_.push_back(std::make_unique<Entry>());
    entries_.back()->model = std::move(model);
  }
  loader_ = std::thread([this] { run(); });
}

ModelLibrary::ModelLibrary(LoadedModel loaded, bool any_name, std::shared_ptr<Metrics> metrics)
    : limits_{.any_name = any_name}, started_at_(now_s()), metrics_(std::move(metrics)) {
  const ModelInfo& info = loaded.model.engine.info();
  auto entry = std::make_unique<Entry>();
  entry->model = {.id = loaded.model.id,
                  .alias = loaded.model.alias,
                  .display_name = loaded.model.display_name,
                  .card = loaded.model.card,
                  .max_context = info.max_context,
                  .max_batch = info.max_batch,
                  .vocab_size = info.vocab_size,
                  .plan_bytes = loaded.model.engine.memory().plan_bytes};
  put_in(*entry, std::move(loaded));
  entries_.push_back(std::move(entry));
}

ModelLibrary::~ModelLibrary() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (loader_.joinable()) loader_.join();
}

ModelLibrary::Entry* ModelLibrary::find(std::string_view name) const {
  for (const auto& entry : entries_) {
    const ServableModel& model = entry->model;
    if (name == model.id || (!model.alias.empty() && name == model.alias)) return entry.get();
  }
  return nullptr;
}

std::string ModelLibrary::ids() const {
  std::vector<std::string_view> all;
  for (const auto& entry : entries_) all.push_back(entry->model.id);
  return fmt::format("'{}'", fmt::join(all, "', '"));
}

ApiError ModelLibrary::not_found(std::string_view name) const {
  ApiError error(404, "invalid_request_error", "model_not_found",
                 fmt::format("request: the model '{}' is not served here; {} {}", name, ids(),
                             entries_.size() == 1 ? "is" : "are"));
  error.param = "model";
  return error;
}

ModelLibrary::Entry& ModelLibrary::named(std::string_view name) const {
  if (name.empty() && entries_.size() == 1) return *entries_.front();
  if (name.empty()) throw invalid_field("model", fmt::format("is missing; give one of {}", ids()));
  if (Entry* entry = find(name)) return *entry;
  if (!limits_.any_name) throw not_found(name);
  return **std::max_element(entries_.begin(), entries_.end(),
                            [](const auto& a, const auto& b) { return a->last_use < b->last_use; });
}

ModelLibrary::Status ModelLibrary::model(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const Entry* entry = find(name);
  if (entry == nullptr) throw not_found(name);
  return {entry->model, entry->state};
}

void ModelLibrary::check_room(const Entry& entry) const {
  if (entry.model.refusal) throw ApiError(*entry.model.refusal);
  if (entry.model.plan_bytes <= limits_.room_bytes) return;
  throw ApiError(Error(ErrorKind::memory,
                       "the model '{}' needs {} bytes beside the server's own, {} are available for models; start the "
                       "server with a larger --memory-budget, or with a smaller --max-context or --max-batch",
                       entry.model.id, entry.model.plan_bytes, limits_.room_bytes));
}

ModelLibrary::Lease ModelLibrary::lease(std::string_view name, std::shared_ptr<Wakeup> wakeup) {
  const std::lock_guard lock(mutex_);
  Entry& entry = named(name);
  auto ticket = std::make_shared<Ticket>(Ticket{.entry = &entry, .wakeup = std::move(wakeup)});
  if (entry.state == State::loaded && !entry.leaves) {
    ticket->holds = true;
    ++entry.n_leases;
    entry.last_use = ++n_uses_;
    return Lease(*this, std::move(ticket));
  }
  check_room(entry);
  if (n_waiting_ >= limits_.max_waiting) {
    throw ApiError(Error(ErrorKind::unavailable, "{} requests wait for models already; try again later", n_waiting_));
  }
  ticket->waits = true;
  ++n_waiting_;
  entry.waiting.push_back(ticket);
  if (entry.state != State::loading && std::find(queue_.begin(), queue_.end(), &entry) == queue_.end()) {
    queue_.push_back(&entry);
  }
  changed_.notify_all();
  return Lease(*this, std::move(ticket));
}

std::vector<ModelLibrary::Lease> ModelLibrary::loaded() {
  const std::lock_guard lock(mutex_);
  std::vector<Lease> leases;
  leases.reserve(entries_.size());
  for (const auto& entry : entries_) {
    if (entry->state != State::loaded || entry->leaves) continue;
    ++entry->n_leases;
    leases.emplace_back(*this, std::make_shared<Ticket>(Ticket{.entry = entry.get(), .holds = true}));
  }
  return leases;
}

ModelLibrary::Lease::~Lease() {
  if (ticket_) library_->release(*ticket_);
}

bool ModelLibrary::Lease::is_waiting() const {
  const std::lock_guard lock(library_->mutex_);
  return ticket_->waits;
}

const Service& ModelLibrary::Lease::service() const {
  const std::lock_guard lock(library_->mutex_);
  if (ticket_->failure) std::rethrow_exception(ticket_->failure);
  PARO_CHECK(ticket_->holds, "the model '{}' is not there yet", ticket_->entry->model.id);
  return *ticket_->entry->service;
}

void ModelLibrary::release(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  Entry& entry = *ticket.entry;
  if (ticket.holds) --entry.n_leases;
  if (ticket.waits) {
    --n_waiting_;
    std::erase_if(entry.waiting, [&](const auto& other) { return other.get() == &ticket; });
  }
  changed_.notify_all();
}

std::vector<ModelLibrary::Status> ModelLibrary::models() const {
  const std::lock_guard lock(mutex_);
  std::vector<Status> all;
  for (const auto& entry : entries_) all.push_back({entry->model, entry->state});
  return all;
}

void ModelLibrary::put_in(Entry& entry, LoadedModel loaded) {
  entry.parts = std::move(loaded.parts);
  entry.service = std::make_unique<Service>(std::move(loaded.options), std::move(loaded.model), metrics_);
  entry.state = State::loaded;
}

// Lets those in that have waited for it.
void ModelLibrary::grant(Entry& entry) {
  for (const auto& ticket : entry.waiting) {
    ticket->waits = false;
    ticket->holds = !ticket->failure;
    entry.n_leases += ticket->holds;
    ticket->wakeup->notify();
  }
  n_waiting_ -= int(entry.waiting.size());
  entry.waiting.clear();
  entry.last_use = ++n_uses_;
}

// Of what is loaded and does not leave, with the entry.
int64_t ModelLibrary::wanted_bytes(const Entry& entry) const {
  int64_t sum = entry.model.plan_bytes;
  for (const auto& other : entries_)
    sum += other->state == State::loaded && !other->leaves ? other->model.plan_bytes : 0;
  return sum;
}

// Idle ones first, of these the one that was not used for longest.
void ModelLibrary::choose_leaving(const Entry& entry) {
  while (wanted_bytes(entry) > limits_.room_bytes) {
    Entry* first = nullptr;
    for (const auto& other : entries_) {
      if (other->state != State::loaded || other->leaves) continue;
      const auto rank = [](const Entry& e) { return std::pair(e.n_leases > 0, e.last_use); };
      if (first == nullptr || rank(*other) < rank(*first)) first = other.get();
    }
    PARO_CHECK(first != nullptr, "'{}' does not fit an empty server", entry.model.id);
    first->leaves = true;
  }
}

// False: nobody waits for the entry any more, or the library stops.
bool ModelLibrary::make_room(std::unique_lock<std::mutex>& lock, Entry& entry) {
  choose_leaving(entry);
  while (!stopping_ && !entry.waiting.empty()) {
    const auto leaving = std::find_if(entries_.begin(), entries_.end(), [](const auto& e) { return e->leaves; });
    if (leaving == entries_.end()) return true;
    const auto idle =
        std::find_if(leaving, entries_.end(), [](const auto& e) { return e->leaves && e->n_leases == 0; });
    if (idle == entries_.end()) {
      changed_.wait(lock);
    } else {
      log::info("the model '{}' gives way to '{}'", (*idle)->model.id, entry.model.id);
      take_out(lock, **idle);
    }
  }
  for (const auto& other : entries_) {
    if (!std::exchange(other->leaves, false)) continue;
    std::erase(queue_, other.get());
    if (!other->waiting.empty()) grant(*other);
  }
  return false;
}

void ModelLibrary::take_out(std::unique_lock<std::mutex>& lock, Entry& entry) {
  auto service = std::move(entry.service);
  auto parts = std::move(entry.parts);
  lock.unlock();
  service.reset();
  parts.reset();
  lock.lock();
  entry.state = State::unloaded;
  entry.leaves = false;
}

void ModelLibrary::load(std::unique_lock<std::mutex>& lock, Entry& entry) {
  entry.state = State::loading;
  lock.unlock();
  std::optional<LoadedModel> loaded;
  std::exception_ptr failure;
  try {
    log::info("loading the model '{}'", entry.model.id);
    loaded.emplace(entry.model.load([this] { check_stopping(); }));
  } catch (...) {
    failure = std::current_exception();
  }
  lock.lock();
  try {
    if (loaded) put_in(entry, std::move(*loaded));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    entry.parts.reset();
    entry.state = State::unloaded;
    log::error("the model '{}' cannot be loaded: {}", entry.model.id, api_error_of(failure).message);
    for (const auto& ticket : entry.waiting) ticket->failure = failure;
  }
  grant(entry);
}

void ModelLibrary::check_stopping() const {
  const std::lock_guard lock(mutex_);
  if (stopping_) throw Error(ErrorKind::unavailable, "the server is stopping");
}

void ModelLibrary::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Entry& entry = *queue_.front();
    // Those that it waits behind may have left, and it with them.
    const bool fits = !entry.waiting.empty() && make_room(lock, entry);
    std::erase(queue_, &entry);
    if (fits) load(lock, entry);
  }
}

}  // namespace paro::server
