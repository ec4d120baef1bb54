#include <algorithm>
#include <set>

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;
using Arns = std::vector<std::string>;

constexpr int kAborted = 9, kFailed = 10, kStarted = 11, kSucceeded = 12, kTimedOut = 13;
constexpr int kRedriven = 60;

const char kMapRun[] = "arn:aws:states:us-east-1:123456789012:mapRun:machine/label:run";

std::string Execution(const std::string &name, const std::string &machine = "machine") {
  return "arn:aws:states:us-east-1:123456789012:execution:" + machine + ":" + name;
}

/* Over the engine as it is, and with every step pending. */
class ListTest : public HistoryTest, public testing::WithParamInterface<bool> {
 protected:
  ListTest() {
    annals_faulty_store_set_pending(store_, GetParam());
  }

  /* An execution that starts at start and goes through these types, a second apart. */
  void Run(const std::string &arn, int64_t start, const std::vector<int> &types = {},
           const FirstAppend &first = {}, const std::string &started_details = "") {
    Appended appended = Append({Started(start) + started_details}, arn, first);
    ASSERT_TRUE(appended.ok) << appended.reason << ": " << appended.message;
    GoOn(arn, 2, start + 1, types);
  }

  void GoOn(const std::string &arn, int64_t id, int64_t seconds, const std::vector<int> &types) {
    for (int type : types) {
      std::string event = Timestamp(seconds++, 0) + Int(kEventType, type) + Int(kEventId, id) +
                          Int(kEventPreviousId, id - 1);
      id++;
      ASSERT_TRUE(Append({event}, arn).ok);
    }
  }

  static ListQuery Of(const std::string &state_machine) {
    ListQuery query;
    query.state_machine = state_machine;
    return query;
  }

  static ListQuery OfMapRun(const std::string &map_run) {
    ListQuery query;
    query.state_machine = std::nullopt;
    query.map_run = map_run;
    return query;
  }
};

INSTANTIATE_TEST_SUITE_P(Store, ListTest, testing::Bool(),
                         [](const auto &info) { return info.param ? "Pending" : "Direct"; });

TEST_P(ListTest, StateMachineThatNobodyHasExecutedIsEmpty) {
  Listed listed = List();
  EXPECT_TRUE(listed.ok);
  EXPECT_EQ(listed.arns, Arns());
  EXPECT_EQ(listed.token, "");
}

TEST_P(ListTest, NewestFirstAndTiesByArn) {
  Run(Execution("b"), 100);
  Run(Execution("old"), 50);
  Run(Execution("a"), 100);
  Run(Execution("new"), 200);
  Run(Execution("elsewhere", "machine2"), 150);
  ASSERT_TRUE(
      Append({Timestamp(100, 1) + Int(kEventType, kStarted) + Int(kEventId, 1)}, Execution("z"))
          .ok);
  Arns expected = {Execution("new"), Execution("z"), Execution("a"), Execution("b"),
                   Execution("old")};
  EXPECT_EQ(List().arns, expected);
  for (int64_t size : {1, 2, 3, 4, 5, 6}) {
    ListQuery query;
    query.max_results = size;
    EXPECT_EQ(ListAll(query), expected) << size;
  }
  Reopen();
  EXPECT_EQ(List().arns, expected);
}

TEST_P(ListTest, ItemsTellWhatIsKnown) {
  const std::string machine = "arn:aws:states:us-east-1:123456789012:stateMachine:other";
  Run(Execution("plain"), 100);
  Run(Execution("full"), 90, {kFailed, kRedriven, kTimedOut}, {machine, kMapRun, 5, "Root=1"},
      Bytes(31, Bytes(1, "{}") + Bytes(4, machine + ":alias") + Bytes(5, machine + ":7")));
  EXPECT_EQ(List().members, (std::vector<Members>{{{"status", "RUNNING"},
                                                   {"start", "100.0"},
                                                   {"redrive_count", "0"},
                                                   {"state_machine", kStateMachine}}}));
  std::vector<Members> full = {{{"status", "TIMED_OUT"},
                                {"start", "90.0"},
                                {"stop", "93.0"},
                                {"redrive_count", "1"},
                                {"redrive", "92.0"},
                                {"item_count", "5"},
                                {"trace_header", "Root=1"},
                                {"state_machine", machine},
                                {"version", machine + ":7"},
                                {"alias", machine + ":alias"},
                                {"map_run", kMapRun}}};
  EXPECT_EQ(List(Of(machine)).members, full);
  EXPECT_EQ(List(Of(machine + ":7")).members, full);
  EXPECT_EQ(List(Of(machine + ":alias")).members, full);
  EXPECT_EQ(List(OfMapRun(kMapRun)).members, full);
  EXPECT_EQ(List(Of(machine + ":8")).members, std::vector<Members>());
}

TEST_P(ListTest, ExecutionsOfALabelAreListedByIt) {
  Run(Execution("child", "machine/label"), 100);
  Run(Execution("parent"), 90);
  EXPECT_EQ(List(Of(std::string(kStateMachine) + "/label")).arns,
            Arns{Execution("child", "machine/label")});
  EXPECT_EQ(List().arns, Arns{Execution("parent")});
}

/* What is no ARN of its kind is told, and nobody can ask for it. */
TEST_P(ListTest, ParentsThatAreNoneAreNotListedBy) {
  const std::string other = "arn:aws:states:us-east-1:123456789012:stateMachine:other";
  Run(Execution("a"), 100, {}, {"", other, 0, ""},
      Bytes(31, Bytes(4, "an alias") + Bytes(5, other)));
  EXPECT_EQ(List(Of(other)).arns, Arns());
  EXPECT_EQ(List().members[0]["version"], other);
  EXPECT_EQ(List().members[0]["alias"], "an alias");
  EXPECT_EQ(List().members[0]["map_run"], other);
}

TEST_P(ListTest, VersionAndAliasOfOneNameAreOneParent) {
  const std::string both = std::string(kStateMachine) + ":1";
  Run(Execution("a"), 100, {kFailed, kRedriven}, {}, Bytes(31, Bytes(4, both) + Bytes(5, both)));
  EXPECT_EQ(List(Of(both)).arns, Arns{Execution("a")});
}

/* --- filters --- */

struct Kind {
  const char *status;
  bool redriven;
};

const std::vector<Kind> kKinds = {{"RUNNING", false},   {"RUNNING", true},   {"SUCCEEDED", false},
                                  {"SUCCEEDED", true},  {"FAILED", false},   {"FAILED", true},
                                  {"TIMED_OUT", false}, {"TIMED_OUT", true}, {"ABORTED", false},
                                  {"ABORTED", true}};

TEST_P(ListTest, FiltersSelect) {
  const std::map<std::string, std::vector<int>> ends = {{"RUNNING", {}},
                                                        {"SUCCEEDED", {kSucceeded}},
                                                        {"FAILED", {kFailed}},
                                                        {"TIMED_OUT", {kTimedOut}},
                                                        {"ABORTED", {kAborted}}};
  int64_t start = 1000;
  for (int round = 0; round < 2; round++) {
    for (const Kind &kind : kKinds) {
      std::vector<int> types = ends.at(kind.status);
      if (kind.redriven) {
        types.insert(types.begin(), {kFailed, kRedriven});
      }
      std::string name = std::string(kind.status) + (kind.redriven ? "-r" : "-n");
      Run(Execution(name + std::to_string(round)), start--, types, {"", kMapRun, 0, ""});
    }
  }
  for (bool map_run : {false, true}) {
    for (std::optional<std::string> status :
         {std::optional<std::string>(), std::optional<std::string>("RUNNING"),
          std::optional<std::string>("SUCCEEDED"), std::optional<std::string>("FAILED"),
          std::optional<std::string>("TIMED_OUT"), std::optional<std::string>("ABORTED"),
          std::optional<std::string>("PENDING_REDRIVE")}) {
      for (std::optional<std::string> redrive :
           {std::optional<std::string>(), std::optional<std::string>("REDRIVEN"),
            std::optional<std::string>("NOT_REDRIVEN")}) {
        Arns expected;
        for (const std::string round : {"0", "1"}) {
          for (const Kind &kind : kKinds) {
            if ((!status || *status == kind.status) &&
                (!redrive || (*redrive == "REDRIVEN") == kind.redriven)) {
              expected.push_back(
                  Execution(std::string(kind.status) + (kind.redriven ? "-r" : "-n") + round));
            }
          }
        }
        ListQuery query = map_run ? OfMapRun(kMapRun) : ListQuery();
        query.status = status;
        query.redrive = redrive;
        query.max_results = 3;
        EXPECT_EQ(ListAll(query), expected) << status.value_or("-") << redrive.value_or("-");
      }
    }
  }
}

TEST_P(ListTest, ExecutionsChangeTheirPlacesWithTheirStatus) {
  auto expect = [this](const std::string &status, bool redriven) {
    for (const Kind &kind : kKinds) {
      ListQuery query;
      query.status = kind.status;
      query.redrive = kind.redriven ? "REDRIVEN" : "NOT_REDRIVEN";
      Arns arns = status == kind.status && redriven == kind.redriven ? Arns{kArn} : Arns();
      EXPECT_EQ(List(query).arns, arns) << kind.status << kind.redriven;
    }
    EXPECT_EQ(List().arns, Arns{kArn});
    EXPECT_EQ(List().members[0]["status"], status);
  };
  Run(kArn, 100);
  expect("RUNNING", false);
  GoOn(kArn, 2, 101, {kPassStateEntered});
  expect("RUNNING", false);
  GoOn(kArn, 3, 102, {kFailed});
  expect("FAILED", false);
  GoOn(kArn, 4, 103, {kFailed});
  expect("FAILED", false);
  EXPECT_EQ(List().members[0]["stop"], "103.0");
  GoOn(kArn, 5, 104, {kRedriven});
  expect("RUNNING", true);
  GoOn(kArn, 6, 105, {kRedriven});
  expect("RUNNING", true);
  EXPECT_EQ(List().members[0]["redrive_count"], "2");
  GoOn(kArn, 7, 106, {kTimedOut});
  expect("TIMED_OUT", true);
  GoOn(kArn, 8, 107, {kAborted});
  expect("ABORTED", true);
  GoOn(kArn, 9, 108, {kRedriven, kSucceeded});
  expect("SUCCEEDED", true);
  Reopen();
  expect("SUCCEEDED", true);
}

/* Several changes of one append, and a race that is lost first. */
TEST_P(ListTest, OneAppendMayChangeTheStatusMoreThanOnce) {
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_APPEND;
  fault.times = 2;
  fault.outcome = ANNALS_STORE_CONFLICT;
  annals_faulty_store_inject(store_, &fault);
  ASSERT_TRUE(Append({Started(), Typed(kFailed, 2), Typed(kRedriven, 3)}).ok);
  ListQuery query;
  query.status = "RUNNING";
  query.redrive = "REDRIVEN";
  EXPECT_EQ(List(query).arns, Arns{kArn});
  annals_faulty_store_inject(store_, &fault);
  ASSERT_TRUE(Append({Typed(kFailed, 4), Typed(kRedriven, 5), Typed(kAborted, 6)}).ok);
  EXPECT_EQ(List(query).arns, Arns());
  query.status = "ABORTED";
  EXPECT_EQ(List(query).arns, Arns{kArn});
  EXPECT_EQ(List().arns, Arns{kArn});
}

/* --- pages --- */

TEST_P(ListTest, ZeroMeans100AndTheEndIsKnown) {
  for (int i = 0; i < 101; i++) {
    Run(Execution(std::to_string(1000 + i)), 100);
  }
  Listed page = List();
  EXPECT_EQ(page.arns.size(), 100U);
  EXPECT_NE(page.token, "");
  ListQuery query;
  query.token = page.token;
  page = List(query);
  EXPECT_EQ(page.arns, Arns{Execution("1100")});
  EXPECT_EQ(page.token, "");
  query = ListQuery();
  query.max_results = 101;
  EXPECT_EQ(List(query).token, "");
}

TEST_P(ListTest, HoldsToItsBytesButHasAtLeastOneExecution) {
  Arns expected;
  for (int i = 0; i < 40; i++) {
    std::string arn = Execution("name" + std::to_string(10 + i));
    Run(arn, 100);
    expected.push_back(arn);
  }
  const size_t size = expected[0].size();
  SetLimits(1024 + 7 * size, 0); /* the rest of an answer is allowed for with 1 KiB */
  Listed page = List();
  EXPECT_EQ(page.arns.size(), 7U);
  EXPECT_EQ(page.bytes, 7 * size);
  EXPECT_EQ(ListAll(), expected);
  SetLimits(10, 0);
  EXPECT_EQ(List().arns.size(), 1U);
  EXPECT_EQ(ListAll(), expected);
}

/* All that stays selected is seen once, whatever starts, ends, is redriven or deleted meanwhile. */
TEST_P(ListTest, WhatStaysIsSeenOnceWhileAllElseChanges) {
  Arns stays;
  for (int i = 0; i < 20; i++) {
    std::string arn = Execution("stays" + std::to_string(10 + i));
    Run(arn, 500 - 10 * i);
    stays.push_back(arn);
    Run(Execution("goes" + std::to_string(i)), 495 - 10 * i);
  }
  ListQuery query;
  query.max_results = 3;
  std::multiset<std::string> seen;
  int round = 0;
  do {
    Listed page = List(query);
    ASSERT_TRUE(page.ok);
    seen.insert(page.arns.begin(), page.arns.end());
    query.token = page.token;
    Run(Execution("new" + std::to_string(round)), 600 + round);
    Run(Execution("old" + std::to_string(round)), 400 - round);
    /* These stay in the listing, and change their lists. */
    GoOn(stays[round % 20], 2, 2000, {kFailed, kRedriven, kSucceeded});
    ASSERT_TRUE(Delete(Execution("goes" + std::to_string(round))).ok);
    round++;
  } while (!query.token->empty() && round < 20);
  EXPECT_EQ(*query.token, "");
  for (const std::string &arn : stays) {
    EXPECT_EQ(seen.count(arn), 1U) << arn;
  }
  for (const std::string &arn : seen) {
    EXPECT_EQ(seen.count(arn), 1U) << arn;
  }
}

TEST_P(ListTest, GoesOnBehindAnExecutionThatIsGone) {
  for (const char *name : {"a", "b", "c"}) {
    Run(Execution(name), 100);
  }
  ListQuery query;
  query.max_results = 2;
  query.token = List(query).token;
  ASSERT_TRUE(Delete(Execution("b")).ok);
  EXPECT_EQ(List(query).arns, Arns{Execution("c")});
}

/* --- tokens --- */

TEST_P(ListTest, TokensDifferAndAreShortAndUrlSafe) {
  std::string long_name(80, 'n');
  for (int i = 0; i < 5; i++) {
    Run(Execution(long_name.substr(1) + std::to_string(i), std::string(80, 'm')), 100);
  }
  ListQuery query =
      Of("arn:aws:states:us-east-1:123456789012:stateMachine:" + std::string(80, 'm'));
  query.max_results = 1;
  std::set<std::string> tokens;
  do {
    Listed page = List(query);
    ASSERT_EQ(page.arns.size(), 1U);
    query.token = page.token;
    EXPECT_TRUE(tokens.insert(page.token).second);
    EXPECT_LE(page.token.size(), 1024U);
    EXPECT_EQ(page.token.find_first_not_of(
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
  } while (!query.token->empty());
  EXPECT_EQ(tokens.size(), 5U);
}

TEST_P(ListTest, TokenIsBoundToTheOtherArguments) {
  for (const char *name : {"a", "b", "c"}) {
    Run(Execution(name), 100, {}, {"", kMapRun, 0, ""});
  }
  ListQuery query;
  query.max_results = 1;
  query.token = List(query).token;
  ListQuery changed = query;
  changed.max_results = 2;
  EXPECT_EQ(List(changed).arns, (Arns{Execution("b"), Execution("c")}));
  changed = query;
  changed.status = "RUNNING";
  EXPECT_EQ(List(changed).reason, "INVALID_TOKEN");
  changed.status = "PENDING_REDRIVE";
  EXPECT_EQ(List(changed).reason, "INVALID_TOKEN");
  changed = query;
  changed.redrive = "NOT_REDRIVEN";
  EXPECT_EQ(List(changed).reason, "INVALID_TOKEN");
  changed = query;
  *changed.state_machine += "2";
  EXPECT_EQ(List(changed).reason, "INVALID_TOKEN");
  changed = query;
  changed.state_machine = std::nullopt;
  changed.map_run = kMapRun;
  EXPECT_EQ(List(changed).reason, "INVALID_TOKEN");
  EXPECT_EQ(List(query).arns, Arns{Execution("b")});
}

TEST_P(ListTest, TokenOfAHistoryIsNone) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  PageQuery page;
  page.max_results = 1;
  ListQuery query;
  query.token = Page(page).token;
  EXPECT_EQ(List(query).reason, "INVALID_TOKEN");
  Run(Execution("b"), 50);
  query.token = std::nullopt;
  query.max_results = 1;
  page.token = List(query).token;
  EXPECT_EQ(Page(page).reason, "INVALID_TOKEN");
}

TEST_P(ListTest, TokenExpires) {
  Run(Execution("a"), 100);
  Run(Execution("b"), 100);
  ListQuery query;
  query.max_results = 1;
  query.token = List(query).token;
  now_us_ += int64_t{86400} * 1000000;
  EXPECT_TRUE(List(query).ok);
  now_us_ += 1000;
  Listed late = List(query);
  EXPECT_EQ(late.reason, "INVALID_TOKEN");
  EXPECT_EQ(late.message, "next_token has expired: start over");
}

TEST_P(ListTest, TokenAlteredInAnyByteIsRefused) {
  Run(Execution("a"), 100);
  Run(Execution("b"), 100);
  ListQuery query;
  query.max_results = 1;
  const std::string token = List(query).token;
  for (size_t i = 0; i < token.size(); i++) {
    query.token = token;
    (*query.token)[i] = token[i] == 'A' ? 'B' : 'A';
    ASSERT_EQ(List(query).reason, "INVALID_TOKEN") << i;
    query.token = token.substr(0, i + 1);
    ASSERT_EQ(List(query).reason, i + 1 == token.size() ? "" : "INVALID_TOKEN") << i;
  }
}

/* --- errors --- */

TEST_P(ListTest, ConstraintsAreCheckedAllAtOnceAndBeforeTheArn) {
  ListQuery query;
  query.state_machine = std::string(257, 'x');
  query.map_run = std::string(2001, 'm');
  query.status = "X";
  query.redrive = "";
  query.max_results = 1001;
  query.token = std::string(3097, 't');
  Listed listed = List(query);
  EXPECT_EQ(listed.reason, "INVALID_REQUEST");
  EXPECT_EQ(
      listed.violations,
      (std::vector<std::string>{
          "state_machine_arn=" + *query.state_machine +
              ": Member must have length less than or equal to 256",
          "status_filter=X: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, "
          "PENDING_REDRIVE, ABORTED, FAILED, RUNNING]",
          "max_results=1001: Member must have value less than or equal to 1000",
          "next_token=" + *query.token + ": Member must have length less than or equal to 3096",
          "map_run_arn=" + *query.map_run + ": Member must have length less than or equal to 2000",
          "redrive_filter=: Member must satisfy enum value set: [REDRIVEN, NOT_REDRIVEN]"}));
  query = ListQuery();
  query.max_results = -1;
  EXPECT_EQ(List(query).violations,
            (Arns{"max_results=-1: Member must have value greater than or equal to 0"}));
}

TEST_P(ListTest, EitherAStateMachineOrAMapRun) {
  ListQuery query;
  query.state_machine = std::nullopt;
  Listed neither = List(query);
  EXPECT_EQ(neither.reason, "INVALID_REQUEST");
  EXPECT_EQ(neither.violations, Arns());
  EXPECT_EQ(neither.message, "Must provide a StateMachine ARN or MapRun ARN");
  query = ListQuery();
  query.map_run = kMapRun;
  Listed both = List(query);
  EXPECT_EQ(both.reason, "INVALID_REQUEST");
  EXPECT_EQ(both.violations, Arns());
  EXPECT_EQ(both.message, "Must provide a StateMachine ARN or MapRun ARN, not both");
}

TEST_P(ListTest, ArnsAreCheckedBeforeTokens) {
  auto message = [this](ListQuery query) {
    query.token = "nonsense";
    Listed listed = List(query);
    EXPECT_EQ(listed.reason, "INVALID_ARN");
    return listed.message;
  };
  EXPECT_EQ(message(Of("nonsense")), "Invalid ARN prefix: nonsense");
  EXPECT_EQ(message(Of(kArn)), "Resource type not valid in this context: execution");
  EXPECT_EQ(message(Of("arn:aws:states:us-east-1:123456789012:express:m:n:u")),
            "Resource type not valid in this context: express");
  EXPECT_EQ(message(Of(std::string(kStateMachine) + ":1:2")),
            "A state machine is named by stateMachine:NAME or stateMachine:NAME:VERSION_OR_ALIAS");
  EXPECT_EQ(message(OfMapRun(kStateMachine)),
            "Resource type not valid in this context: stateMachine");
  EXPECT_EQ(List(Of(kStateMachine)).reason, "");
}

TEST_P(ListTest, StoreFailuresHaveTheirReasons) {
  Run(Execution("a"), 100);
  annals_fault fault = {};
  fault.operations = ANNALS_FAULTY_LIST;
  fault.times = 1;
  fault.runs = 1;
  fault.outcome = ANNALS_STORE_CORRUPT;
  annals_faulty_store_inject(store_, &fault);
  Listed listed = List();
  EXPECT_EQ(listed.reason, "DATA_CORRUPTED");
  EXPECT_EQ(listed.token, "");
  fault.outcome = ANNALS_STORE_UNAVAILABLE;
  annals_faulty_store_inject(store_, &fault);
  EXPECT_EQ(List().reason, "INTERNAL");
}

TEST_P(ListTest, EndsWhenNobodyWaits) {
  Run(Execution("a"), 100);
  annals_cancel cancel = {};
  annals_cancel_now(&cancel);
  cancel_ = &cancel;
  EXPECT_EQ(List().reason, "CANCELLED");
}

}  // namespace
