// What a model is opened with. A value of 0 or an empty optional is the program's to choose, and is then fitted to the
// budget; a value that is given is kept or refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "engine/memory_report.h"
#include "ops/batch.h"
#include "ops/weights.h"

namespace paro {

// Where embeddings that are no head lie: in memory, or in the model's files, of which each step reads the rows it
// needs.
enum class EmbeddingSource : uint8_t { memory, disk };

// Where blocks of prompts are kept on disk, and how much of it they may take.
struct PrefixDiskOptions {
  std::filesystem::path directory;
  int64_t limit_bytes = 0;
};

struct EngineOptions {
  std::filesystem::path model;                 // directory in Hugging Face layout
  std::optional<int64_t> memory_budget_bytes;  // else what the machine has free, less a reserve
  int max_context = 0;                         // tokens of one sequence; at most 8192 unless asked for
  int max_batch = 0;                           // sequences in one step
  int prefill_chunk = 0;                       // rows of one step
  int max_logit_rows = 0;                      // rows of one step that may ask for logits; else max_batch
  int max_queue = 128;                         // requests that wait
  int64_t expert_slots = 0;                    // experts in memory, over all layers; the others are streamed
  // Memory for beginnings of prompts beside what sequences need. Unless given, they lie in what sequences leave free;
  // 0: none are kept.
  std::optional<int64_t> prefix_cache_bytes;
  std::optional<PrefixDiskOptions> prefix_disk;  // else they end with the process
  std::optional<KvType> kv_type;
  std::optional<TableType> head_type;
  std::optional<TableType> embedding_type;          // of embeddings that are no head; else as stored
  std::optional<EmbeddingSource> embedding_source;  // else memory, if the budget allows
  std::vector<MemoryClass> other_memory;  // what the program holds beside the model: tokenizer, server buffers
};

// Bytes of weights read so far, and of all; called from one thread at a time. What it throws ends the load.
using LoadProgress = std::function<void(int64_t n_done_bytes, int64_t n_bytes)>;

}  // namespace paro
