// GetExecutionHistory as a gRPC client sees it: exact bytes, and every error.

#include <algorithm>

#include "tests/rpc/service.h"

namespace annals_test {
namespace {

class PageTest : public ::testing::Test {
 protected:
  void Put(int64_t first_id, int64_t last_id, size_t input_size = 0) {
    EXPECT_EQ(
        Appended(service_.Append(Arn(), PlainEvents(first_id, last_id, input_size))).last_event_id,
        last_id);
  }

  PageRequest Request(int32_t max_results = 0) {
    PageRequest request;
    request.arn = Arn();
    request.max_results = max_results;
    return request;
  }

  Service service_;
};

TEST_F(PageTest, IsTheStoredFramesAsTheyAre) {
  Put(1, 5, 100);
  EXPECT_EQ(service_.Get(Request()).body, service_.StoredFrames(Arn()));
  EXPECT_EQ(service_.StoredFrames(Arn()), FramesOf(PlainEvents(1, 5, 100)));
}

TEST_F(PageTest, IsTheStoredFramesAndTheToken) {
  Put(1, 5);
  const Reply reply = service_.Get(Request(2));
  const PageResult page = Page(reply);
  EXPECT_NE(page.next_token, "");
  EXPECT_LE(page.next_token.size(), 1024u);
  EXPECT_EQ(page.next_token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789-_"),
            std::string::npos);
  EXPECT_EQ(reply.body, FramesOf(PlainEvents(1, 2)) + BytesField(2, page.next_token));
}

TEST_F(PageTest, IsTheSameOverAStoreThatIsPending) {
  Put(1, 5);
  annals_faulty_store_set_pending(service_.store(), true);
  EXPECT_EQ(service_.Get(Request()).body, FramesOf(PlainEvents(1, 5)));
}

TEST_F(PageTest, GoesBackwards) {
  Put(1, 5);
  PageRequest request = Request();
  request.reverse = true;
  std::vector<std::string> events = PlainEvents(1, 5);
  std::reverse(events.begin(), events.end());
  EXPECT_EQ(service_.Get(request).body, FramesOf(events));
}

TEST_F(PageTest, LeavesExecutionDataOut) {
  Put(1, 3, 100);
  PageRequest request = Request();
  request.with_data = false;
  EXPECT_EQ(service_.Get(request).body, FramesOf(PlainEvents(1, 3)));
}

TEST_F(PageTest, JoinsToTheWholeHistoryWhateverItsSize) {
  Put(1, 210);
  for (int32_t size : {1, 2, 3, 7, 70, 210, 211, 1000}) {
    for (bool reverse : {false, true}) {
      PageRequest request = Request(size);
      request.reverse = reverse;
      std::vector<std::string> seen;
      size_t pages = 0;
      do {
        const PageResult page = Page(service_.Get(request));
        ASSERT_FALSE(page.events.empty());
        ASSERT_LE(page.events.size(), static_cast<size_t>(size));
        seen.insert(seen.end(), page.events.begin(), page.events.end());
        request.next_token = page.next_token;
        pages++;
      } while (!request.next_token.empty());
      if (reverse) {
        std::reverse(seen.begin(), seen.end());
      }
      EXPECT_EQ(seen, PlainEvents(1, 210));
      EXPECT_EQ(pages, (210 + static_cast<size_t>(size) - 1) / static_cast<size_t>(size));
    }
  }
}

TEST_F(PageTest, HoldsAHundredEventsUnlessToldOtherwise) {
  Put(1, 101);
  EXPECT_EQ(Page(service_.Get(Request(0))).events.size(), 100u);
  EXPECT_EQ(Page(service_.Get(Request(1000))).events.size(), 101u);
}

// Runs that are in a page as they lie, between events that are copied.
TEST_F(PageTest, IsTheSameOfRunsThatAreKept) {
  const size_t input = 100;
  Put(1, 100, input);
  Put(101, 200, input);
  Put(201, 210, input);
  const std::string whole = FramesOf(PlainEvents(1, 210, input));
  for (int round = 0; round < 3; round++) {
    EXPECT_EQ(service_.Get(Request(210)).body, whole);
    EXPECT_EQ(service_.Get(Request(1000)).body, whole);
    for (int32_t first : {1, 50, 99, 100, 101, 150, 199, 200, 209}) {
      const Reply reply = service_.Get(Request(first));
      PageRequest rest = Request(1000);
      rest.next_token = Page(reply).next_token;
      EXPECT_EQ(reply.body,
                FramesOf(PlainEvents(1, first, input)) + BytesField(2, rest.next_token));
      EXPECT_EQ(service_.Get(rest).body, FramesOf(PlainEvents(first + 1, 210, input)));
      rest.max_results = 105;
      const Reply middle = service_.Get(rest);
      const int32_t last = std::min(first + 105, 210);
      const std::string token = Page(middle).next_token;
      EXPECT_EQ(middle.body, FramesOf(PlainEvents(first + 1, last, input)) +
                                 (last < 210 ? BytesField(2, token) : ""));
    }
  }
}

// A run that is too much for a page is in it as far as it would be if it were copied.
TEST(PageMemory, HoldsAsMuchOfRunsThatAreKept) {
  const std::vector<std::string> events = PlainEvents(1, 250, 100);
  const size_t run = FramesOf(PlainEvents(1, 100, 100)).size();
  for (size_t bytes_max : {run - 1, run + 255, run + 256, run + 300, 2 * run + 256}) {
    ServiceOptions options;
    options.page_bytes_max = bytes_max;
    Service service(options);
    Appended(service.Append(Arn(), PlainEvents(1, 100, 100)));
    Appended(service.Append(Arn(), PlainEvents(101, 250, 100)));
    PageRequest request;
    request.arn = Arn();
    request.max_results = 1000;
    size_t count = 0;
    while (FramesOf({events.begin(), events.begin() + static_cast<ptrdiff_t>(count) + 1}).size() +
               256 <=
           bytes_max) {
      count++;
    }
    const std::vector<std::string> expected(events.begin(),
                                            events.begin() + static_cast<ptrdiff_t>(count));
    for (int round = 0; round < 3; round++) {
      const PageResult page = Page(service.Get(request));
      EXPECT_EQ(page.events, expected) << bytes_max;
      EXPECT_NE(page.next_token, "");
    }
  }
}

// However often it was served from what is kept.
TEST_F(PageTest, IsGoneWithTheHistory) {
  Put(1, 100, 10000);
  const std::string whole = FramesOf(PlainEvents(1, 100, 10000));
  EXPECT_EQ(service_.Get(Request()).body, whole);
  EXPECT_EQ(service_.Get(Request()).body, whole);
  ASSERT_EQ(Delete(service_.store(), Arn(), 100).outcome, ANNALS_STORE_OK);
  ExpectFailure(service_.Get(Request()), GRPC_STATUS_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST",
                {{"execution_arn", Arn()}});
}

// Everything fits but the token: a page without it would look like the last one.
TEST(PageMemory, IsNotServedWithoutItsToken) {
  ServiceOptions options = Threads(1);
  options.page_bytes_max = 32 << 20;
  Service service(options);
  const size_t buffer_max = 16 << 20;
  const size_t input_max = 256 * 1024;
  std::vector<std::string> events = {PlainEvent(1).Bytes()};
  size_t room = buffer_max - FramesOf(events).size();
  int64_t id = 2;
  for (; room > 100; id++) {
    events.push_back(PlainEvent(id, std::min(input_max, room - 100)).Bytes());
    room -= FramesOf({events.back()}).size();
  }
  const auto count = static_cast<int32_t>(events.size());
  events.push_back(PlainEvent(id).Bytes());
  for (size_t i = 0; i < events.size(); i += 10) {
    Appended(service.Append(
        Arn(), {events.begin() + static_cast<ptrdiff_t>(i),
                events.begin() + static_cast<ptrdiff_t>(std::min(i + 10, events.size()))}));
  }
  PageRequest request;
  request.arn = Arn();
  request.max_results = count;
  const Reply reply = service.Get(request);
  ExpectFailure(reply, GRPC_STATUS_RESOURCE_EXHAUSTED, "OVERLOADED");
  EXPECT_EQ(reply.error.retry_ms, 1000);
}

// --- errors ---

TEST_F(PageTest, NeedsAnExecutionThatExists) {
  ExpectFailure(service_.Get(Request()), GRPC_STATUS_NOT_FOUND, "EXECUTION_DOES_NOT_EXIST",
                {{"execution_arn", Arn()}});
}

TEST_F(PageTest, NeedsAnArn) {
  for (const char *arn : {"e", "arn:aws:states:us-east-1:123456789012:express:M:e:f",
                          "arn:aws:states:us-east-1:123456789012:stateMachine:M"}) {
    PageRequest request = Request();
    request.arn = arn;
    ExpectFailure(service_.Get(request), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_ARN");
  }
}

TEST_F(PageTest, NamesAllFieldsThatAreNotAllowed) {
  using Violations = std::vector<std::pair<std::string, std::string>>;
  const std::pair<std::string, std::string> no_arn = {
      "execution_arn", "Member must have length greater than or equal to 1"};
  const std::pair<std::string, std::string> long_arn = {
      "execution_arn", "Member must have length less than or equal to 256"};
  const std::pair<std::string, std::string> negative = {
      "max_results", "Member must have value greater than or equal to 0"};
  const std::pair<std::string, std::string> many = {
      "max_results", "Member must have value less than or equal to 1000"};
  const std::pair<std::string, std::string> long_token = {
      "next_token", "Member must have length less than or equal to 1024"};
  const std::string long_text(1025, 'a');
  struct Case {
    std::string arn;
    int32_t max_results;
    std::string token;
    Violations violations;
  };
  const Case cases[] = {
      {"", 0, "", {no_arn}},
      {std::string(257, 'a'), 0, "", {long_arn}},
      {Arn(), -1, "", {negative}},
      {Arn(), 1001, "", {many}},
      {Arn(), 0, long_text, {long_token}},
      {"", INT32_MIN, long_text, {no_arn, negative, long_token}},
      {long_text, INT32_MAX, long_text, {long_arn, many, long_token}},
  };
  for (const Case &c : cases) {
    PageRequest request;
    request.arn = c.arn;
    request.max_results = c.max_results;
    request.next_token = c.token;
    const Reply reply = service_.Get(request);
    EXPECT_EQ(reply.error.reason, "INVALID_REQUEST");
    EXPECT_EQ(reply.code, GRPC_STATUS_INVALID_ARGUMENT);
    EXPECT_EQ(reply.error.violations, c.violations);
    EXPECT_EQ(reply.message, c.violations[0].first + ": " + c.violations[0].second);
  }
}

TEST_F(PageTest, TakesATokenOnlyForTheListingItBelongsTo) {
  Put(1, 5);
  EXPECT_EQ(Appended(service_.Append(Arn("other"), PlainEvents(1, 5))).appended, 5);
  const std::string token = Page(service_.Get(Request(2))).next_token;
  PageRequest wrong[4] = {Request(2), Request(2), Request(2), Request(2)};
  for (PageRequest &request : wrong) {
    request.next_token = token;
  }
  wrong[0].arn = Arn("other");
  wrong[1].reverse = true;
  wrong[2].with_data = false;
  wrong[3].next_token[10] ^= 1;
  for (const PageRequest &request : wrong) {
    const Reply reply = service_.Get(request);
    ExpectFailure(reply, GRPC_STATUS_INVALID_ARGUMENT, "INVALID_TOKEN");
    EXPECT_EQ(reply.error.retry_ms, -1);
  }
  PageRequest right = Request(3);
  right.next_token = token;
  EXPECT_EQ(Page(service_.Get(right)).events, PlainEvents(3, 5));
}

TEST_F(PageTest, TakesATokenUntilItExpires) {
  Put(1, 5);
  service_.SetTime(kStartSeconds);
  PageRequest request = Request(2);
  request.next_token = Page(service_.Get(request)).next_token;
  service_.SetTime(kStartSeconds + kTokenTtlSeconds);
  EXPECT_EQ(Page(service_.Get(request)).events, PlainEvents(3, 4));
  service_.SetTime(kStartSeconds + kTokenTtlSeconds + 1);
  ExpectFailure(service_.Get(request), GRPC_STATUS_INVALID_ARGUMENT, "INVALID_TOKEN");
}

TEST_F(PageTest, TellsWhatTheStoreSays) {
  Put(1, 5);
  PageRequest next = Request(2);
  next.next_token = Page(service_.Get(next)).next_token;
  for (bool pending : {false, true}) {
    annals_faulty_store_set_pending(service_.store(), pending);
    for (unsigned operation : {ANNALS_FAULTY_READ, ANNALS_FAULTY_GET}) {
      service_.Fail(operation, ANNALS_STORE_CORRUPT);
      const Reply reply = service_.Get(next);
      ExpectFailure(reply, GRPC_STATUS_DATA_LOSS, "DATA_CORRUPTED", {{"execution_arn", Arn()}});
      EXPECT_EQ(reply.error.retry_ms, -1);
      service_.Fail(operation, ANNALS_STORE_UNAVAILABLE);
      EXPECT_EQ(service_.Get(next).code, GRPC_STATUS_INTERNAL);
    }
  }
  EXPECT_EQ(Page(service_.Get(next)).events, PlainEvents(3, 4));
}

}  // namespace
}  // namespace annals_test
