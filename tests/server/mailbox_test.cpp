#include "server/mailbox.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>

namespace paro::server {
namespace {

class MailboxTest : public testing::Test {
 protected:
  // How many notices are on their way to the reader.
  size_t n_notices() {
    context_.restart();
    return context_.poll();
  }
  Mailbox box(WakeFor wake_for) { return {wakeup_, wake_for, pool_}; }
  static SequenceEvent token(size_t n_best = 0) {
    SampledToken token;
    token.best.resize(n_best);
    return {.what = token};
  }

  boost::asio::io_context context_;
  std::shared_ptr<Wakeup> wakeup_ = std::make_shared<Wakeup>(Strand(context_.get_executor()));
  MemoryPool pool_{0};
};

TEST_F(MailboxTest, AReaderOfEachTokenIsWokenOnceUntilItTakesThem) {
  Mailbox box = this->box(WakeFor::each);
  box.put(token());
  EXPECT_EQ(n_notices(), 1U);
  box.put(token());
  box.put({.what = GenerationEnd{}});
  EXPECT_EQ(n_notices(), 0U);
  EXPECT_EQ(box.take().events.size(), 3U);
  box.put(token());
  EXPECT_EQ(n_notices(), 1U);
}

TEST_F(MailboxTest, AReaderOfManyTokensIsWokenForThatMany) {
  Mailbox box = this->box(WakeFor::many);
  for (size_t i = 1; i < Mailbox::kMany; ++i) box.put(token());
  EXPECT_EQ(n_notices(), 0U);
  box.put(token());
  EXPECT_EQ(n_notices(), 1U);
  box.put(token());
  EXPECT_EQ(n_notices(), 0U);
  EXPECT_EQ(box.take().events.size(), Mailbox::kMany + 1);
}

TEST_F(MailboxTest, AReaderOfManyTokensIsWokenForAnEnd) {
  Mailbox box = this->box(WakeFor::many);
  box.put(token());
  box.put({.sequence = 1, .what = GenerationEnd{}});
  EXPECT_EQ(n_notices(), 1U);
  const auto events = box.take().events;
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].sequence, 1U);
}

TEST_F(MailboxTest, AReaderIsWokenWhenATokenIsDropped) {
  Mailbox box = this->box(WakeFor::many);
  box.put(token(Mailbox::kFreeBytes / sizeof(TokenLogprob)));
  EXPECT_EQ(n_notices(), 1U);
  box.put(token());
  EXPECT_EQ(n_notices(), 0U);
  const Mailbox::Contents contents = box.take();
  EXPECT_TRUE(contents.overrun);
  EXPECT_TRUE(contents.events.empty());
}

}  // namespace
}  // namespace paro::server
