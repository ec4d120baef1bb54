#include "server/history/authorization.h"

#include "tests/history/history_test_support.h"

namespace {

using namespace annals_test;

class Authorization : public HistoryTest {
 protected:
  ~Authorization() override {
    annals_credentials_unref(credentials_);
  }

  /* Goes on as a principal who may do what the rules say, one a line. */
  void Become(const std::string &rules) {
    std::string text = "[bob]\naccess_key_id=A\nsecret_access_key=s\n" + rules;
    annals_credentials_unref(credentials_);
    credentials_ = annals_credentials_parse("file", text.data(), text.size(), nullptr);
    ASSERT_NE(credentials_, nullptr);
    principal_ = annals_credentials_find_key(credentials_, "A")->principal;
  }

  static void ExpectDenied(const Outcome &outcome, const std::string &action,
                           const std::string &resource = kArn) {
    EXPECT_EQ(outcome.reason, "PERMISSION_DENIED");
    EXPECT_EQ(outcome.message,
              "User: bob is not authorized to perform: " + action + " on resource: " + resource);
    std::map<std::string, std::string> metadata = {
        {"principal", "bob"}, {"action", action}, {"resource", resource}};
    EXPECT_EQ(outcome.metadata, metadata);
  }

 private:
  annals_credentials *credentials_ = nullptr;
};

TEST_F(Authorization, WhatIsNotAllowedIsDenied) {
  Become("");
  ExpectDenied(Append({Started()}), "annals:AppendHistoryEvents");
  ExpectDenied(Page(), "states:GetExecutionHistory");
}

TEST_F(Authorization, AnybodyMayDoEverythingWhereNobodyAsks) {
  EXPECT_TRUE(Append({Started()}).ok);
  EXPECT_TRUE(Page().ok);
}

TEST_F(Authorization, AnyRuleAllows) {
  Become("allow = states:* on *\nallow = annals:AppendHistoryEvents on arn:*:machine:name\n");
  EXPECT_TRUE(Append({Started()}).ok);
  EXPECT_TRUE(Page().ok);
  std::string other = std::string(kArn) + "2";
  ExpectDenied(Append({Started()}, other), "annals:AppendHistoryEvents", other);
}

TEST_F(Authorization, ActionsAreTheirOwn) {
  Become("allow = states:GetExecutionHistory on *\n");
  ExpectDenied(Append({Started()}), "annals:AppendHistoryEvents");
  EXPECT_EQ(Page().reason, "EXECUTION_DOES_NOT_EXIST");
}

TEST_F(Authorization, StandsBehindTheArnAndBeforeTheTokenAndWhatExists) {
  Become("");
  PageQuery query;
  query.max_results = 1001;
  EXPECT_EQ(Page(query).reason, "INVALID_REQUEST");
  query.max_results = 0;
  query.arn = "arn:aws:states";
  EXPECT_EQ(Page(query).reason, "INVALID_ARN");
  query.arn = kArn;
  query.token = "x";
  ExpectDenied(Page(query), "states:GetExecutionHistory");
  EXPECT_EQ(Append({Started()}, "arn:aws:states").reason, "INVALID_ARN");
  ExpectDenied(Append({"not an event"}), "annals:AppendHistoryEvents");
}

TEST_F(Authorization, TheTokenOfOneIsNoLeaveForAnother) {
  ASSERT_TRUE(Append(Chain(3)).ok);
  PageQuery query;
  query.max_results = 1;
  query.token = Page(query).token;
  ASSERT_NE(query.token, "");
  Become("allow = states:* on arn:aws:states:us-east-1:123456789012:execution:other:*\n");
  ExpectDenied(Page(query), "states:GetExecutionHistory");
  Become("allow = states:* on arn:aws:states:us-east-1:123456789012:execution:machine:*\n");
  EXPECT_TRUE(Page(query).ok);
}

TEST_F(Authorization, AnotherStateMachineNeedsPermissionToo) {
  const std::string own = "arn:aws:states:us-east-1:123456789012:stateMachine:machine";
  const std::string other = "arn:aws:states:us-east-1:123456789012:stateMachine:other";
  Become("allow = annals:* on arn:*:execution:machine:*\n");
  FirstAppend first;
  first.state_machine_arn = other;
  ExpectDenied(Append({Started()}, kArn, first), "annals:AppendHistoryEvents", other);
  first.state_machine_arn = own;
  EXPECT_TRUE(Append({Started()}, kArn, first).ok);
  Become("allow = annals:* on arn:*:execution:machine:* " + other + "\n");
  first.state_machine_arn = other;
  EXPECT_TRUE(Append({Started()}, std::string(kArn) + "2", first).ok);
}

TEST_F(Authorization, MapRunOfAnotherStateMachineNeedsPermissionToo) {
  const std::string own = "arn:aws:states:us-east-1:123456789012:mapRun:machine/label:run";
  const std::string other = "arn:aws:states:us-east-1:123456789012:mapRun:other/label:run";
  Become("allow = annals:* on arn:*:execution:machine:*\n");
  FirstAppend first;
  first.map_run_arn = other;
  ExpectDenied(Append({Started()}, kArn, first), "annals:AppendHistoryEvents", other);
  first.map_run_arn = own;
  EXPECT_TRUE(Append({Started()}, kArn, first).ok);
  Become("allow = annals:* on arn:*:execution:machine:* " + other + "\n");
  first.map_run_arn = other;
  EXPECT_TRUE(Append({Started()}, std::string(kArn) + "2", first).ok);
}

TEST_F(Authorization, DescribingListingAndDeletingAreActionsOfTheirOwn) {
  const std::string version = std::string(kStateMachine) + ":1";
  const std::string map_run = "arn:aws:states:us-east-1:123456789012:mapRun:machine/label:run";
  ListQuery of_version, of_map_run;
  of_version.state_machine = version;
  of_map_run.state_machine = std::nullopt;
  of_map_run.map_run = map_run;
  Become("allow = states:GetExecutionHistory annals:AppendHistoryEvents on *\n");
  ExpectDenied(Describe(), "states:DescribeExecution");
  ExpectDenied(Delete(), "annals:DeleteExecution");
  ExpectDenied(List(), "states:ListExecutions", kStateMachine);
  ExpectDenied(List(of_version), "states:ListExecutions", version);
  ExpectDenied(List(of_map_run), "states:ListExecutions", map_run);
  Become("allow = states:DescribeExecution annals:DeleteExecution on " + std::string(kArn) +
         "\nallow = states:ListExecutions on " + kStateMachine + " " + map_run + "\n");
  EXPECT_EQ(Describe().reason, "EXECUTION_DOES_NOT_EXIST");
  EXPECT_EQ(Delete().reason, "EXECUTION_DOES_NOT_EXIST");
  EXPECT_TRUE(List().ok);
  EXPECT_TRUE(List(of_map_run).ok);
  ExpectDenied(List(of_version), "states:ListExecutions", version);
}

/* As those of pages: behind what is wrong with the request, before its token. */
TEST_F(Authorization, OfListingsStandsBetweenTheArnAndTheToken) {
  Become("");
  ListQuery query;
  query.token = "x";
  query.status = "X";
  EXPECT_EQ(List(query).reason, "INVALID_REQUEST");
  query.status = "RUNNING";
  query.state_machine = kArn;
  EXPECT_EQ(List(query).reason, "INVALID_ARN");
  query.state_machine = kStateMachine;
  ExpectDenied(List(query), "states:ListExecutions", kStateMachine);
  DescribeQuery describe;
  describe.arn = kStateMachine;
  EXPECT_EQ(Describe(describe).reason, "INVALID_ARN");
  EXPECT_EQ(Delete(kStateMachine).reason, "INVALID_ARN");
}

}  // namespace
