#include <functional>
#include <set>

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;

class PageTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  PageTest() {
    annals_faulty_store_set_pending(store_, GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Store, PageTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

std::vector<std::string> Reversed(std::vector<std::string> events) {
  std::reverse(events.begin(), events.end());
  return events;
}

TEST_P(PageTest, PagesJoinedAreTheWholeInBothDirections) {
  std::vector<std::string> events = Chain(230);
  /* Sealed runs of a big batch, then an open tail of single events. */
  ASSERT_TRUE(Append({events.begin(), events.begin() + 205}).ok);
  for (auto it = events.begin() + 205; it != events.end(); ++it) {
    ASSERT_TRUE(Append({*it}).ok);
  }
  for (int size : {1, 2, 3, 7, 100, 115, 229, 230, 231, 1000}) {
    PageQuery query;
    query.max_results = size;
    EXPECT_EQ(All(query), events) << size;
    query.reverse = true;
    EXPECT_EQ(All(query), Reversed(events)) << size;
  }
}

TEST_P(PageTest, ZeroMeans100) {
  ASSERT_TRUE(Append(Chain(150)).ok);
  EXPECT_EQ(Page().events.size(), 100U);
}

TEST_P(PageTest, TokenIsAbsentWhenThePagesDivideTheHistory) {
  ASSERT_TRUE(Append(Chain(6)).ok);
  for (bool reverse : {false, true}) {
    PageQuery query;
    query.max_results = 3;
    query.reverse = reverse;
    Paged first = Page(query);
    EXPECT_NE(first.token, "");
    query.token = first.token;
    Paged second = Page(query);
    EXPECT_EQ(second.events.size(), 3U);
    EXPECT_EQ(second.token, "");
  }
}

TEST_P(PageTest, MaxResultsMayChangeBetweenPages) {
  std::vector<std::string> events = Chain(10);
  ASSERT_TRUE(Append(events).ok);
  PageQuery query;
  query.max_results = 2;
  query.token = Page(query).token;
  query.max_results = 5;
  EXPECT_EQ(Page(query).events, std::vector<std::string>(events.begin() + 2, events.begin() + 7));
}

TEST_P(PageTest, HoldsToItsBytesButHasAtLeastOneEvent) {
  std::vector<std::string> events = Chain(20, std::string(1000, 'x'));
  ASSERT_TRUE(Append(events).ok);
  SetLimits(4500, 0);
  PageQuery query;
  Paged page = Page(query);
  EXPECT_EQ(page.events.size(), 5U); /* the first one is small */
  EXPECT_LE(page.bytes.size(), 4500U);
  EXPECT_EQ(All(query), events);
  query.reverse = true;
  EXPECT_EQ(Page(query).events.size(), 4U);
  EXPECT_EQ(All(query), Reversed(events));
  SetLimits(10, 0);
  EXPECT_EQ(Page(query).events.size(), 1U);
  EXPECT_EQ(All(query), Reversed(events));
}

/* Pages whose payloads are filtered out are bounded by what is read for them. */
TEST_P(PageTest, HoldsToWhatItScans) {
  std::vector<std::string> events = Chain(20, std::string(1000, 'x'));
  ASSERT_TRUE(Append(events).ok);
  SetLimits(0, 5000);
  PageQuery query;
  query.data = false;
  Paged page = Page(query);
  EXPECT_EQ(page.events.size(), 5U);
  EXPECT_EQ(All(query).size(), 20U);
  query.reverse = true;
  EXPECT_EQ(All(query).size(), 20U);
}

TEST_P(PageTest, LeavesExecutionDataOut) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  PageQuery query;
  query.data = false;
  EXPECT_EQ(All(query)[1], Typed(kPassStateEntered, 2, Bytes(kStateEnteredDetails, Bytes(1, "S"))));
}

TEST_P(PageTest, ReverseStaysOnTheListAsItStood) {
  std::vector<std::string> events = Chain(10);
  ASSERT_TRUE(Append({events.begin(), events.begin() + 6}).ok);
  PageQuery query;
  query.reverse = true;
  query.max_results = 3;
  Paged first = Page(query);
  ASSERT_TRUE(Append({events.begin() + 6, events.end()}).ok);
  query.token = first.token;
  Paged second = Page(query);
  EXPECT_EQ(second.events, Reversed({events.begin(), events.begin() + 3}));
  EXPECT_EQ(second.token, "");
}

TEST_P(PageTest, ForwardGoesOnIntoWhatWasAppendedMeanwhile) {
  std::vector<std::string> events = Chain(250);
  ASSERT_TRUE(Append({events.begin(), events.begin() + 6}).ok);
  PageQuery query;
  query.max_results = 4;
  Paged page = Page(query);
  std::vector<std::string> seen = page.events;
  ASSERT_TRUE(Append({events.begin() + 6, events.end()}).ok);
  query.token = page.token;
  query.max_results = 1000;
  page = Page(query);
  seen.insert(seen.end(), page.events.begin(), page.events.end());
  EXPECT_EQ(seen, events);
}

/* --- errors --- */

TEST_P(PageTest, NoSuchExecution) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  PageQuery query;
  query.arn = std::string(kArn) + "x";
  for (bool reverse : {false, true}) {
    query.reverse = reverse;
    Paged page = Page(query);
    EXPECT_EQ(page.reason, "EXECUTION_DOES_NOT_EXIST");
    EXPECT_EQ(page.metadata["execution_arn"], query.arn);
  }
}

TEST_P(PageTest, ConstraintsAreCheckedAllAtOnceAndBeforeTheArn) {
  PageQuery query;
  query.arn = std::string(257, 'x');
  query.max_results = 1001;
  query.token = std::string(1025, 't');
  Paged page = Page(query);
  EXPECT_EQ(page.reason, "INVALID_REQUEST");
  EXPECT_EQ(
      page.violations,
      (std::vector<std::string>{
          "execution_arn=" + query.arn + ": Member must have length less than or equal to 256",
          "max_results=1001: Member must have value less than or equal to 1000",
          "next_token=" + query.token + ": Member must have length less than or equal to 1024"}));
  query = PageQuery();
  query.max_results = -1;
  EXPECT_EQ(Page(query).violations[0],
            "max_results=-1: Member must have value greater than or equal to 0");
  query = PageQuery();
  query.arn = "";
  EXPECT_EQ(Page(query).violations[0],
            "execution_arn=: Member must have length greater than or equal to 1");
  query.arn = "nonsense";
  query.token = "nonsense";
  EXPECT_EQ(Page(query).reason, "INVALID_ARN");
}

TEST_P(PageTest, StoreFailuresHaveTheirReasons) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_READ;
  fault.times = 1;
  fault.outcome = ANNALS_STORE_CORRUPT;
  annals_faulty_store_inject(store_, &fault);
  Paged page = Page();
  EXPECT_EQ(page.reason, "DATA_CORRUPTED");
}

/* Deleted between two steps: behind the check of the token, and before the next one is signed. */
TEST_P(PageTest, DeletedUnderWayIsNotThere) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  annals_fault fault = {};
  fault.times = 1;
  fault.outcome = ANNALS_STORE_NOT_FOUND;
  PageQuery query;
  query.max_results = 1;
  query.reverse = true;
  fault.operations = ANNALS_FAULTY_GET;
  annals_faulty_store_inject(store_, &fault);
  EXPECT_EQ(Page(query).reason, "EXECUTION_DOES_NOT_EXIST");
  query.token = Page(query).token;
  fault.operations = ANNALS_FAULTY_READ;
  annals_faulty_store_inject(store_, &fault);
  EXPECT_EQ(Page(query).reason, "EXECUTION_DOES_NOT_EXIST");
  EXPECT_EQ(annals_faulty_store_hits(store_), 2);
}

/* Has something happen before the next get of a record, or the next read. */
class PageRaceTest : public HistoryTest {
 protected:
  void BeforeRead(std::function<void()> what) {
    BeforeGet(std::move(what));
    hooked_.get = ops_->get;
    hooked_.read = [](annals_store *store, annals_store_read *read) {
      store->ops = test_->ops_;
      test_->what_();
      return store->ops->read(store, read);
    };
  }
  void BeforeGet(std::function<void()> what) {
    test_ = this;
    what_ = std::move(what);
    ops_ = store_->ops;
    hooked_ = *ops_;
    hooked_.get = [](annals_store *store, annals_store_get *get) {
      store->ops = test_->ops_;
      test_->what_();
      return store->ops->get(store, get);
    };
    store_->ops = &hooked_;
  }

 private:
  static PageRaceTest *test_;
  std::function<void()> what_;
  const annals_store_ops *ops_ = nullptr;
  annals_store_ops hooked_ = {};
};

PageRaceTest *PageRaceTest::test_;

TEST_F(PageRaceTest, ReversePagesAreOfOneExecutionWhenTheNameIsReused) {
  const std::vector<std::string> before = {Started(100), Entered(2, 101, "1"),
                                           Entered(3, 102, "1")};
  const std::vector<std::string> after = {Started(200), Entered(2, 201, "2"), Entered(3, 202, "2")};
  ASSERT_TRUE(Append(before).ok);
  BeforeGet([&] {
    ASSERT_TRUE(Delete().ok);
    ASSERT_TRUE(Append(after).ok);
  });
  PageQuery query;
  query.max_results = 1;
  query.reverse = true;
  EXPECT_EQ(All(query), Reversed(after));
}

TEST_F(PageRaceTest, ReversePageIsTheLastOneWhenTheNameIsReusedForAShortHistory) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  BeforeGet([&] {
    ASSERT_TRUE(Delete().ok);
    ASSERT_TRUE(Append({Started(200)}).ok);
  });
  PageQuery query;
  query.max_results = 1;
  query.reverse = true;
  Paged page = Page(query);
  EXPECT_EQ(page.events, std::vector<std::string>{Started(200)});
  EXPECT_EQ(page.token, "");
}

TEST_F(PageRaceTest, PagesBehindATokenAreOfItsExecutionOnly) {
  const auto restart = [this] {
    ASSERT_TRUE(Delete().ok);
    ASSERT_TRUE(Append({Started(200), Entered(2, 201, "2"), Entered(3, 202, "2")}).ok);
  };
  for (bool reverse : {false, true}) {
    for (bool read : {false, true}) {
      ASSERT_TRUE(Append({Started(100), Entered(2, 101, "1"), Entered(3, 102, "1")}).ok);
      PageQuery query;
      query.max_results = 1;
      query.reverse = reverse;
      query.token = Page(query).token;
      ASSERT_NE(query.token, "");
      read ? BeforeRead(restart) : BeforeGet(restart);
      Paged page = Page(query);
      EXPECT_EQ(page.reason, "INVALID_TOKEN");
      EXPECT_EQ(page.events, std::vector<std::string>());
      EXPECT_EQ(page.token, "");
      ASSERT_TRUE(Delete().ok);
    }
  }
}

/* --- tokens --- */

TEST_P(PageTest, TokensDifferAndAreShortAndUrlSafe) {
  ASSERT_TRUE(Append(Chain(50)).ok);
  std::set<std::string> tokens;
  PageQuery query;
  query.max_results = 1;
  int pages = 0;
  do {
    Paged page = Page(query);
    query.token = page.token;
    tokens.insert(page.token);
    pages++;
    EXPECT_LE(page.token.size(), 1024U);
    EXPECT_EQ(page.token.find_first_not_of(
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
  } while (!query.token.empty());
  EXPECT_EQ(pages, 50);
  EXPECT_EQ(tokens.size(), 50U);
}

TEST_P(PageTest, TokenIsBoundToTheOtherArguments) {
  ASSERT_TRUE(Append(Chain(10)).ok);
  std::string other = std::string(kArn) + "2";
  ASSERT_TRUE(Append(Chain(10), other).ok);
  PageQuery query;
  query.max_results = 2;
  query.token = Page(query).token;
  PageQuery changed = query;
  changed.reverse = true;
  EXPECT_EQ(Page(changed).reason, "INVALID_TOKEN");
  changed = query;
  changed.data = false;
  EXPECT_EQ(Page(changed).reason, "INVALID_TOKEN");
  changed = query;
  changed.arn = other;
  EXPECT_EQ(Page(changed).reason, "INVALID_TOKEN");
  EXPECT_TRUE(Page(query).ok);
}

TEST_P(PageTest, TokenExpires) {
  ASSERT_TRUE(Append(Chain(10)).ok);
  PageQuery query;
  query.max_results = 2;
  query.token = Page(query).token;
  now_us_ += int64_t{86400} * 1000000;
  EXPECT_TRUE(Page(query).ok);
  now_us_ += 1000;
  EXPECT_EQ(Page(query).reason, "INVALID_TOKEN");
}

TEST_P(PageTest, TokenAlteredInAnyByteIsRefused) {
  ASSERT_TRUE(Append(Chain(10)).ok);
  PageQuery query;
  query.max_results = 2;
  std::string token = Page(query).token;
  for (size_t i = 0; i <= token.size(); i++) {
    for (char c : {'A', 'B', 'z', '-', '_', '=', '.', '\n'}) {
      query.token = token;
      if (i == token.size()) {
        query.token += c;
      } else if (token[i] == c) {
        continue;
      } else {
        query.token[i] = c;
      }
      ASSERT_EQ(Page(query).reason, "INVALID_TOKEN") << i << c;
    }
  }
  for (size_t size = 1; size < token.size(); size++) {
    query.token = token.substr(0, size);
    ASSERT_EQ(Page(query).reason, "INVALID_TOKEN") << size;
  }
}

TEST_P(PageTest, TokenSurvivesReopening) {
  std::vector<std::string> events = Chain(10);
  ASSERT_TRUE(Append(events).ok);
  PageQuery query;
  query.max_results = 4;
  query.token = Page(query).token;
  Reopen();
  EXPECT_EQ(Page(query).events, std::vector<std::string>(events.begin() + 4, events.begin() + 8));
}

}  // namespace
