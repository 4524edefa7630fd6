// Pages that nobody uses at the moment, each in one of a few lists, in the order in which they were last used.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace paro {

class PageLists {
 public:
  static constexpr int64_t kPageBytes = 8;  // of memory, for each page

  PageLists(int64_t n_pages, int n_lists) : n_pages_(int32_t(n_pages)), links_(size_t(n_pages + n_lists)) {
    for (int32_t i = n_pages_; i < int32_t(links_.size()); ++i) links_[size_t(i)] = {i, i};
  }

  bool contains(int32_t page) const { return links_[size_t(page)].next >= 0; }
  // The page that has rested longest, -1: none.
  int32_t oldest(int list) const {
    const int32_t first = links_[size_t(n_pages_ + list)].next;
    return first < n_pages_ ? first : -1;
  }
  void push(int list, int32_t page) {
    PARO_CHECK(!contains(page), "page {} rests already", page);
    const int32_t head = n_pages_ + list, last = links_[size_t(head)].previous;
    links_[size_t(page)] = {last, head};
    links_[size_t(last)].next = links_[size_t(head)].previous = page;
  }
  void remove(int32_t page) {
    Link& link = links_[size_t(page)];
    links_[size_t(link.previous)].next = link.next;
    links_[size_t(link.next)].previous = link.previous;
    link = {};
  }

 private:
  struct Link {
    int32_t previous = -1, next = -1;
  };

  int32_t n_pages_;
  std::vector<Link> links_;  // [n_pages + n_lists]; each list is a ring with a head of its own
};

}  // namespace paro
