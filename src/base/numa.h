// Spreading memory over the nodes of a machine that has several: every thread reads all weights, so that pages in turn
// on each node give the bandwidth of all of them, where the node of whoever touches them first would give its own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace paro {

// What this process inherited.
struct MemoryPolicy {
  enum class Mode { local, bind, other };
  Mode mode = Mode::local;
  std::vector<int> nodes;    // of the mode, ascending
  std::vector<int> allowed;  // by the cpuset; empty: not known
};
MemoryPolicy memory_policy();

// Nodes to take pages from in turn; none unless there are two. They have memory and are allowed; of a process that is
// bound to nodes they are those, else nodes with processors that it may use. A policy that somebody chose otherwise is
// left as it is. `root` stands for "/".
std::vector<int> nodes_to_interleave(const std::filesystem::path& root, const MemoryPolicy& policy,
                                     const std::vector<int>& processors);

// Asks for the pages of `memory`, none of which has been touched, to come from these nodes in turn. 0, or an errno.
int interleave(std::span<std::byte> memory, const std::vector<int>& nodes);

// The same over nodes_to_interleave of this machine; logs the nodes the first time, or why it cannot be.
void spread_over_nodes(std::span<std::byte> memory);

}  // namespace paro
