// The models that the server can serve, inside one budget of memory: a model is loaded when a request first names it,
// and those give way that were not used for longest.
//
// One model is loaded at a time, in the order in which requests first asked. What has to give way for it is settled
// then: those models finish the answers that they are at, and take new requests once the one that needed their room is
// loaded. So none waits for ever, and models that need not go are not disturbed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "server/api_error.h"
#include "server/service.h"
#include "server/wakeup.h"

namespace paro::server {

// A model in memory. `parts` are what ServedModel refers to: they end with the last use of the model.
struct LoadedModel {
  ServerOptions options;  // with the model's own defaults
  ServedModel model;
  std::shared_ptr<void> parts;
};

// What is known of a model before it is loaded.
struct ServableModel {
  std::string id;
  std::string alias = {}, display_name = {};  // another id, and a name for people; empty: none
  std::string card = "{}";                    // JSON text, at most kMaxCardBytes
  int max_context = 0, max_batch = 0;
  int vocab_size = 0;
  int64_t plan_bytes = 0;             // beside the server's own
  std::optional<Error> refusal = {};  // why it can never be served
  // On a thread of the library's; throws Error. It calls `go_on` now and then, and ends with what that throws.
  std::function<LoadedModel(const std::function<void()>& go_on)> load = {};
};

class ModelLibrary {
  struct Entry;
  struct Ticket;

 public:
  struct Limits {
    int64_t room_bytes = 0;  // for all that is loaded
    int max_waiting = 0;     // requests that wait for models
    bool any_name = false;   // a name that no model has means the one used last
  };
  ModelLibrary(std::vector<ServableModel> models, const Limits& limits, std::shared_ptr<Metrics> metrics);
  // One model, which is there already and stays.
  ModelLibrary(LoadedModel model, bool any_name, std::shared_ptr<Metrics> metrics);
  ~ModelLibrary();  // no lease is left; a load under way is given up
  ModelLibrary(const ModelLibrary&) = delete;
  ModelLibrary& operator=(const ModelLibrary&) = delete;

  // A request's hold on the model that it names. While there is one, the model stays.
  class Lease {
   public:
    explicit Lease(ModelLibrary& library, std::shared_ptr<Ticket> ticket)
        : library_(&library), ticket_(std::move(ticket)) {}
    ~Lease();
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;

    bool is_waiting() const;
    const Service& service() const;  // throws why the model could not be loaded

   private:
    ModelLibrary* library_;
    std::shared_ptr<Ticket> ticket_;  // shared with the entry while it waits
  };

  // By id or alias; no name means the only model. `wakeup` is told when the wait is over. Throws ApiError: 400 without
  // a name where there are several models, and for one that never fits; 404 for one that is not there; 503 when too
  // many wait.
  Lease lease(std::string_view name, std::shared_ptr<Wakeup> wakeup);
  // Of every model that is loaded, in the order of models(); none waits.
  std::vector<Lease> loaded();

  enum class State : uint8_t { unloaded, loading, loaded };
  struct Status {
    const ServableModel& model;
    State state;
  };
  std::vector<Status> models() const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  Status model(std::string_view name) const;  // throws ApiError 404
  int64_t room_bytes() const { return limits_.room_bytes; }
  int64_t started_at() const { return started_at_; }  // seconds since 1970

 private:
  struct Entry {
    ServableModel model;
    State state = State::unloaded;
    std::shared_ptr<void> parts;
    std::unique_ptr<Service> service;  // ends before its parts
    bool leaves = false;               // takes no lease before it has been away
    int n_leases = 0;
    uint64_t last_use = 0;
    std::vector<std::shared_ptr<Ticket>> waiting;
  };

  Entry* find(std::string_view name) const;  // by id or alias
  Entry& named(std::string_view name) const;
  std::string ids() const;
  ApiError not_found(std::string_view name) const;
  void check_room(const Entry& entry) const;
  void put_in(Entry& entry, LoadedModel loaded);
  void grant(Entry& entry);
  void release(Ticket& ticket);
  int64_t wanted_bytes(const Entry& entry) const;
  void choose_leaving(const Entry& entry);
  bool make_room(std::unique_lock<std::mutex>& lock, Entry& entry);
  void take_out(std::unique_lock<std::mutex>& lock, Entry& entry);
  void load(std::unique_lock<std::mutex>& lock, Entry& entry);
  void check_stopping() const;
  void run();

  const Limits limits_;
  const int64_t started_at_;
  const std::shared_ptr<Metrics> metrics_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Entry>> entries_;  // whose models do not change
  std::deque<Entry*> queue_;                     // to be loaded, each once
  int n_waiting_ = 0;
  uint64_t n_uses_ = 0;
  bool stopping_ = false;
  std::thread loader_;
};

}  // namespace paro::server
