// Describing and listing executions: the library and the commands.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>
#include <string>
#include <vector>

#include "client/annals.h"
#include "client/cli.h"
#include "tests/client/cli_run.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

class Executions : public ::testing::Test {
 protected:
  Executions() : server_(std::ref(executions_)) {
    setenv("ANNALS_ENDPOINT", server_.endpoint().c_str(), 1);
    struct annals_client_options options = {};
    options.endpoint = server_.endpoint().c_str();
    client_ = annals_client_open(&options, nullptr);
  }

  ~Executions() override {
    annals_client_close(client_);
    unsetenv("ANNALS_ENDPOINT");
  }

  int Run(const std::vector<std::string> &args) {
    CliResult result = RunCli(args);
    out_ = result.out;
    err_ = result.err;
    return result.status;
  }

  // An item as JSON.
  static std::string Json(int second) {
    const std::string n = std::to_string(second);
    return R"({"executionArn":"arn:e)" + n + R"(","stateMachineArn":"arn:machine","name":"e)" + n +
           R"(","status":")" + (second == 0 ? "RUNNING" : "TIMED_OUT") + R"(","startDate":)" +
           std::to_string(1525283875 + second) + (second == 0 ? "" : R"(,"stopDate":1525290000)") +
           R"(,"redriveCount":)" + n + "}";
  }

  FakeExecutions executions_{3};
  FakeServer server_;
  struct annals_client *client_;
  std::string out_;
  std::string err_;
};

TEST_F(Executions, AreDescribed) {
  struct annals_client_describe_request request = {"arn:e", false};
  struct annals_client_description *description = nullptr;
  ASSERT_TRUE(annals_client_describe(client_, &request, &description, nullptr));
  const Annals__V1__DescribeExecutionResponse *message =
      annals_client_description_message(description);
  EXPECT_STREQ(message->execution_arn, "arn:e");
  EXPECT_STREQ(message->error, "States.Timeout");
  EXPECT_EQ(message->stop_date->seconds, 1525283876);
  struct annals_client_bytes bytes = annals_client_description_bytes(description);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(bytes.data), bytes.size),
            DescriptionBytes("e"));
  annals_client_description_free(description);
  request.metadata_only = true;
  ASSERT_TRUE(annals_client_describe(client_, &request, &description, nullptr));
  annals_client_description_free(description);
  EXPECT_EQ(executions_.requests(), (std::vector<std::string>{"\x0a\x05"
                                                              "arn:e",
                                                              "\x0a\x05"
                                                              "arn:e\x10\x02"}));
}

TEST_F(Executions, AreListedWithAllThatIsAskedFor) {
  struct annals_client_list_request request = {};
  request.state_machine_arn = "m";
  request.map_run_arn = "r";
  request.status_filter = ANNALS__V1__EXECUTION_STATUS__EXECUTION_STATUS_TIMED_OUT;
  request.redrive_filter = ANNALS__V1__EXECUTION_REDRIVE_FILTER__EXECUTION_REDRIVE_FILTER_REDRIVEN;
  request.max_results = 1;
  request.next_token = "1";
  struct annals_client_listing *listing = nullptr;
  ASSERT_TRUE(annals_client_list(client_, &request, &listing, nullptr));
  ASSERT_EQ(annals_client_listing_execution_count(listing), 1u);
  struct annals_client_bytes bytes = annals_client_listing_execution_bytes(listing, 0);
  EXPECT_EQ(std::string(reinterpret_cast<const char *>(bytes.data), bytes.size),
            ItemBytes("e1", 1));
  const Annals__V1__ExecutionListItem *item = annals_client_listing_execution(listing, 0, nullptr);
  EXPECT_STREQ(item->execution_arn, "arn:e1");
  EXPECT_EQ(annals_client_listing_execution(listing, 0, nullptr), item);
  EXPECT_STREQ(annals_client_listing_next_token(listing), "2");
  annals_client_listing_free(listing);
  EXPECT_EQ(executions_.requests()[0],
            "\x0a\x01"
            "m\x10\x04\x18\x01\x22\x01"
            "1\x2a\x01"
            "r\x30\x01");
}

TEST_F(Executions, AreIteratedOver) {
  struct annals_client_list_request request = {};
  request.state_machine_arn = "m";
  request.max_results = 2;
  struct annals_client_lister *lister = annals_client_lister_new(client_, &request);
  std::vector<std::string> names;
  const Annals__V1__ExecutionListItem *item = nullptr;
  while (annals_client_lister_next_execution(lister, &item, nullptr) && item != nullptr) {
    names.push_back(item->name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"e2", "e1", "e0"}));
  EXPECT_EQ(executions_.requests().size(), 2u);
  ASSERT_TRUE(annals_client_lister_next_execution(lister, &item, nullptr));
  EXPECT_EQ(item, nullptr);
  annals_client_lister_free(lister);
}

TEST_F(Executions, AnswersThatAreNoneAreErrors) {
  FakeServer server([](const std::string &, const std::string &) {
    FakeReply reply;
    reply.body = "\x0a\x01\x0a";
    return reply;
  });
  struct annals_client_options options = {};
  options.endpoint = server.endpoint().c_str();
  struct annals_client *client = annals_client_open(&options, nullptr);
  GError *error = nullptr;
  struct annals_client_list_request request = {};
  struct annals_client_listing *listing = nullptr;
  ASSERT_TRUE(annals_client_list(client, &request, &listing, &error));
  EXPECT_EQ(annals_client_listing_execution(listing, 0, &error), nullptr);
  EXPECT_STREQ(error->message, "the server's answer holds something that is no ExecutionListItem");
  g_clear_error(&error);
  annals_client_listing_free(listing);
  EXPECT_EQ(Run({"list", "m", "--endpoint", server.endpoint()}), 1);
  EXPECT_EQ(err_, "annals: list: the server sent an execution that this program does not know\n");
  EXPECT_EQ(Run({"list", "m", "--output", "table", "--endpoint", server.endpoint()}), 1);
  annals_client_close(client);
}

TEST_F(Executions, UsageErrorsOfDescribe) {
  const std::string hint = "\nTry 'annals describe --help'.\n";
  EXPECT_EQ(Run({"describe"}), 2);
  EXPECT_EQ(err_, "annals: describe: an ARN is missing" + hint);
  EXPECT_EQ(Run({"describe", "a", "b"}), 2);
  EXPECT_EQ(err_, "annals: describe: one ARN is wanted, not 2" + hint);
  EXPECT_EQ(Run({"describe", "a", "--output", "xml"}), 2);
  EXPECT_EQ(err_, "annals: describe: --output is json or table, not 'xml'" + hint);
  EXPECT_EQ(Run({"describe", "a", "--endpoint", "x"}), 2);
  EXPECT_EQ(out_, "");
}

TEST_F(Executions, UsageErrorsOfList) {
  const std::string hint = "\nTry 'annals list --help'.\n";
  const std::pair<std::vector<std::string>, std::string> wrong[] = {
      {{"list"}, "a STATE_MACHINE_ARN or --map-run is missing"},
      {{"list", "a", "--map-run", "b"}, "STATE_MACHINE_ARN and --map-run exclude each other"},
      {{"list", "a", "b"}, "one ARN is wanted, not 2"},
      {{"list", "a", "--redriven", "--not-redriven"},
       "--redriven and --not-redriven exclude each other"},
      {{"list", "a", "--max-results", "1001"}, "--max-results is 0 to 1000"},
      {{"list", "a", "--max-results", "-1"}, "--max-results is 0 to 1000"},
      {{"list", "a", "--output", "xml"}, "--output is json or table, not 'xml'"},
      {{"list", "a", "--status", "failed"},
       "--status is one of RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, PENDING_REDRIVE, not "
       "'failed'"},
  };
  for (const auto &[args, message] : wrong) {
    EXPECT_EQ(Run(args), 2);
    EXPECT_EQ(err_, "annals: list: " + message + hint);
    EXPECT_EQ(out_, "");
  }
}

TEST_F(Executions, DescribedAsJson) {
  EXPECT_EQ(Run({"describe", "arn:e"}), 0) << err_;
  EXPECT_EQ(out_, R"({"executionArn":"arn:e","stateMachineArn":"arn:machine","name":"e",)"
                  R"("status":"FAILED","startDate":1525283875.58,"stopDate":1525283876,)"
                  R"("input":"{\n}","inputDetails":{"included":true},"error":"States.Timeout",)"
                  R"("redriveCount":0,"redriveStatus":"NOT_REDRIVABLE",)"
                  R"("redriveStatusReason":"too late"})"
                  "\n");
  EXPECT_EQ(Run({"describe", "arn:e", "--metadata-only"}), 0);
  EXPECT_EQ(executions_.requests()[1].substr(7), "\x10\x02");
}

TEST_F(Executions, DescribedForPeople) {
  EXPECT_EQ(Run({"describe", "arn:e", "--output", "table"}), 0) << err_;
  EXPECT_EQ(out_,
            "execution       arn:e\n"
            "state machine   arn:machine\n"
            "status          FAILED\n"
            "started         2018-05-02T17:57:55.580Z\n"
            "stopped         2018-05-02T17:57:56.000Z\n"
            "redrives        0\n"
            "redrive         NOT_REDRIVABLE\n"
            "because         too late\n"
            "error           States.Timeout\n"
            "input           { }\n");
}

TEST_F(Executions, ListedAsJson) {
  EXPECT_EQ(Run({"list", "m"}), 0) << err_;
  EXPECT_EQ(out_, "{\"executions\":[\n" + Json(2) + ",\n" + Json(1) + ",\n" + Json(0) + "\n]}\n");
  EXPECT_EQ(Run({"list", "m", "--max-results", "2"}), 0);
  EXPECT_EQ(out_, "{\"executions\":[\n" + Json(2) + ",\n" + Json(1) + "\n],\"nextToken\":\"2\"}\n");
  EXPECT_EQ(Run({"list", "m", "--next-token", "2"}), 0);
  EXPECT_EQ(out_, "{\"executions\":[\n" + Json(0) + "\n]}\n");
}

TEST_F(Executions, ListedForPeople) {
  EXPECT_EQ(Run({"list", "m", "--output", "table", "--max-results", "0"}), 0) << err_;
  EXPECT_EQ(out_,
            "STARTED                   STOPPED                   STATUS     REDRIVES  EXECUTION\n"
            "2018-05-02T17:57:57.000Z  2018-05-02T19:40:00.000Z  TIMED_OUT         2  arn:e2\n"
            "2018-05-02T17:57:56.000Z  2018-05-02T19:40:00.000Z  TIMED_OUT         1  arn:e1\n"
            "2018-05-02T17:57:55.000Z  -                         RUNNING           0  arn:e0\n");
  EXPECT_EQ(Run({"list", "m", "--output", "table", "--max-results", "1"}), 0);
  EXPECT_EQ(out_.substr(out_.rfind("next")), "next token: 1\n");
}

TEST_F(Executions, ListPassesFiltersOn) {
  EXPECT_EQ(Run({"list", "m", "--status", "PENDING_REDRIVE", "--not-redriven"}), 0);
  EXPECT_EQ(Run({"list", "--map-run", "r", "--redriven", "--max-results", "5"}), 0);
  EXPECT_EQ(executions_.requests(), (std::vector<std::string>{"\x0a\x01"
                                                              "m\x10\x06\x18\xe8\x07\x30\x02",
                                                              "\x18\x05\x2a\x01"
                                                              "r\x30\x01"}));
}

TEST_F(Executions, ErrorsOfTheServerAreOneLine) {
  FakeServer server([](const std::string &, const std::string &) {
    FakeReply reply;
    reply.code = 5;
    reply.message = "no\nbody";
    reply.details = StatusDetails("EXECUTION_DOES_NOT_EXIST", {});
    return reply;
  });
  for (const char *command : {"describe", "list"}) {
    EXPECT_EQ(Run({command, "a", "--endpoint", server.endpoint()}), 1);
    EXPECT_EQ(err_, std::string("annals: ") + command + ": EXECUTION_DOES_NOT_EXIST: no body\n");
    EXPECT_EQ(out_, "");
  }
}

}  // namespace
}  // namespace annals
