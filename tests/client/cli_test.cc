#include "client/cli.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/cli_run.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

const char kPrefix[] = "arn:aws:states:us-east-1:123456789012:execution:imported";

class Cli : public ::testing::Test {
 protected:
  Cli() {
    unsetenv("ANNALS_ENDPOINT");
    char folder[] = "/tmp/annals_cli_test.XXXXXX";
    folder_ = mkdtemp(folder);
  }

  ~Cli() override {
    for (const std::string &file : files_) {
      unlink(file.c_str());
    }
    rmdir(folder_.c_str());
  }

  int Run(const std::vector<std::string> &args) {
    CliResult result = RunCli(args);
    out_ = result.out;
    err_ = result.err;
    return result.status;
  }

  std::string Write(const std::string &name, const std::string &text) {
    std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    files_.push_back(path);
    return path;
  }

  std::string folder_;
  std::vector<std::string> files_;
  std::string out_;
  std::string err_;
};

// The same against a server that has no histories yet.
class CliWithServer : public Cli {
 protected:
  CliWithServer() : server_(std::ref(histories_)) {
    setenv("ANNALS_ENDPOINT", server_.endpoint().c_str(), 1);
  }

  ~CliWithServer() override {
    unsetenv("ANNALS_ENDPOINT");
  }

  FakeHistories histories_;
  FakeServer server_;
};

std::string Event(int id) {
  return R"({"timestamp":1525283875.58,"type":")" +
         std::string(id == 1 ? "ExecutionStarted" : "TaskStateAborted") + R"(","id":)" +
         std::to_string(id) + R"(,"previousEventId":)" + std::to_string(id - 1) + "}";
}

std::string Page(int from, int to) {
  std::string text = R"({"events":[)";
  for (int id = from; id <= to; id++) {
    text += (id > from ? ",\n" : "\n") + Event(id);
  }
  return text + "\n]}\n";
}

TEST_F(Cli, UsageErrors) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_EQ(err_, "annals: a command is missing\nTry 'annals --help'.\n");
  EXPECT_EQ(Run({"fly"}), 2);
  EXPECT_EQ(err_, "annals: there is no command 'fly'\nTry 'annals --help'.\n");
  EXPECT_EQ(Run({"--fly"}), 2);
  EXPECT_EQ(err_, "annals: Unknown option --fly\nTry 'annals --help'.\n");
  EXPECT_EQ(out_, "");
}

TEST_F(Cli, UsageErrorsOfImport) {
  const std::string hint = "\nTry 'annals import --help'.\n";
  EXPECT_EQ(Run({"import"}), 2);
  EXPECT_EQ(err_, "annals: import: a FILE is missing" + hint);
  EXPECT_EQ(Run({"import", "--execution-arn", "a", "--arn-prefix", "b", "a.json"}), 2);
  EXPECT_EQ(err_, "annals: import: --execution-arn and --arn-prefix exclude each other" + hint);
  EXPECT_EQ(Run({"import", "--execution-arn", "a", "a.json", "b.json"}), 2);
  EXPECT_EQ(err_, "annals: import: --execution-arn goes with one FILE, not 2" + hint);
  EXPECT_EQ(Run({"import", "--arn-prefix", "a", "-"}), 2);
  EXPECT_EQ(err_, "annals: import: standard input has no name: use --execution-arn" + hint);
  EXPECT_EQ(Run({"import", "--endpoint", "x", "--arn-prefix", "a", "a.json"}), 2);
  EXPECT_EQ(err_, "annals: import: endpoint 'x' is not HOST:PORT" + hint);
}

TEST_F(Cli, UsageErrorsOfHistory) {
  const std::string hint = "\nTry 'annals history --help'.\n";
  EXPECT_EQ(Run({"history"}), 2);
  EXPECT_EQ(err_, "annals: history: an ARN is missing" + hint);
  EXPECT_EQ(Run({"history", "a", "b"}), 2);
  EXPECT_EQ(err_, "annals: history: one ARN is wanted, not 2" + hint);
  EXPECT_EQ(Run({"history", "a", "--max-results", "1001"}), 2);
  EXPECT_EQ(err_, "annals: history: --max-results is 0 to 1000" + hint);
  EXPECT_EQ(Run({"history", "a", "--max-results", "-1"}), 2);
  EXPECT_EQ(err_, "annals: history: --max-results is 0 to 1000" + hint);
  EXPECT_EQ(Run({"history", "a", "--output", "xml"}), 2);
  EXPECT_EQ(err_, "annals: history: --output is json or table, not 'xml'" + hint);
  EXPECT_EQ(Run({"history", "a", "--max-results"}), 2);
  EXPECT_EQ(err_, "annals: history: Missing argument for --max-results" + hint);
}

TEST_F(Cli, HelpIsForPeople) {
  for (const std::vector<std::string> &args :
       std::vector<std::vector<std::string>>{{"--help"}, {"-h"}}) {
    EXPECT_EQ(Run(args), 0);
    EXPECT_NE(out_.find("annals [OPTION…] COMMAND"), std::string::npos) << out_;
    EXPECT_NE(out_.find("  import "), std::string::npos);
    EXPECT_NE(out_.find("  history "), std::string::npos);
    EXPECT_EQ(err_, "");
  }
  EXPECT_EQ(Run({"import", "--help"}), 0);
  EXPECT_NE(out_.find("annals import [OPTION…] FILE…"), std::string::npos) << out_;
  EXPECT_EQ(Run({"history", "--help"}), 0);
  EXPECT_NE(out_.find("annals history [OPTION…] ARN"), std::string::npos) << out_;
  EXPECT_NE(out_.find("--next-token=TOKEN"), std::string::npos) << out_;
  EXPECT_EQ(Run({"describe", "--help"}), 0);
  EXPECT_NE(out_.find("annals describe [OPTION…] ARN"), std::string::npos) << out_;
  EXPECT_EQ(Run({"list", "--help"}), 0);
  EXPECT_NE(out_.find("annals list [OPTION…] STATE_MACHINE_ARN"), std::string::npos) << out_;
}

// Fits a terminal; a command's own options come before those that all have.
TEST_F(Cli, HelpIsEasyToRead) {
  for (const char *command : {"import", "export", "history", "describe", "list", "delete", "rewrap",
                              "shred", "backup", "health"}) {
    EXPECT_EQ(Run({command, "--help"}), 0);
    size_t options = out_.find("\nOptions:\n");
    ASSERT_NE(options, std::string::npos) << out_;
    std::istringstream text(out_.substr(0, options));
    for (std::string line; std::getline(text, line);) {
      EXPECT_LE(line.size(), 95u) << line;
    }
    EXPECT_NE(out_.compare(options, 23, "\nOptions:\n  --endpoint="), 0) << out_;
  }
}

// Wherever it runs, such as in a container, where no locale is set.
TEST_F(CliWithServer, ArgumentsAreUtf8) {
  const std::string arn = std::string(kPrefix) + ":bestellung-ä";
  EXPECT_EQ(Run({"import", "--execution-arn", arn, Write("a.json", Page(1, 2))}), 0) << err_;
  EXPECT_EQ(
      Run({"import", "--arn-prefix", std::string(kPrefix) + ":ä", Write("b.json", Page(1, 1))}), 0)
      << err_;
  EXPECT_EQ(histories_.Get(arn).size(), 2u);
  EXPECT_EQ(Run({"history", arn, "--output", "\xff"}), 2);
  EXPECT_EQ(err_,
            "annals: history: --output is json or table, not '\uFFFD'\n"
            "Try 'annals history --help'.\n");
}

TEST_F(CliWithServer, ImportsAndMayBeRepeated) {
  std::string one = Write("one.json", Page(3, 3) + Page(1, 2));
  std::string two = Write("two.jsonl", Page(1, 1));
  EXPECT_EQ(Run({"import", "--arn-prefix", kPrefix, one, two}), 0);
  EXPECT_EQ(out_,
            "2 histories imported, 0 already there, 0 failed: 4 events appended, 0 already "
            "there\n");
  EXPECT_EQ(err_, "");
  EXPECT_EQ(Run({"import", "--arn-prefix", kPrefix, one, two}), 0);
  EXPECT_EQ(out_,
            "0 histories imported, 2 already there, 0 failed: 0 events appended, 4 already "
            "there\n");
  Write("two.jsonl", Page(1, 3));
  EXPECT_EQ(Run({"import", "--arn-prefix", std::string(kPrefix) + ":", one, two}), 0);
  EXPECT_EQ(out_,
            "1 history imported, 1 already there, 0 failed: 2 events appended, 4 already there\n");
  EXPECT_EQ(histories_.Count(), 2u);
  EXPECT_EQ(histories_.Get(std::string(kPrefix) + ":one").size(), 3u);
}

TEST_F(CliWithServer, ImportGoesOnAfterAFileThatFails) {
  std::string bad = Write("bad.json", R"({"events":[{"id":1}]})");
  std::string gap = Write("gap.json", Page(5, 6));
  std::string good = Write("good.json", Page(1, 2));
  EXPECT_EQ(Run({"import", "--arn-prefix", kPrefix, bad, gap, good, folder_ + "/none.json"}), 1);
  EXPECT_EQ(out_,
            "1 history imported, 0 already there, 3 failed: 2 events appended, 0 already "
            "there\n");
  EXPECT_EQ(err_, "annals: import: " + bad + ": INVALID_EVENT: events[0].type: missing\n" +
                      "annals: import: " + gap + ": EVENT_GAP: event 1 is next\n" +
                      "annals: import: " + folder_ +
                      "/none.json: UNREADABLE_FILE: No such file or directory\n");
  // Nothing was sent of the bad one.
  EXPECT_EQ(histories_.append_counts(), (std::vector<int>{2, 2}));
}

TEST_F(CliWithServer, ImportNeedsAnArnForWhatTellsNone) {
  std::string file = Write("a.json", Page(1, 2));
  EXPECT_EQ(Run({"import", file}), 1);
  EXPECT_EQ(err_, "annals: import: " + file +
                      ": INVALID_FILE: it does not tell the execution's ARN: use --execution-arn "
                      "or --arn-prefix\n");
  EXPECT_EQ(histories_.Count(), 0u);
}

TEST_F(CliWithServer, ErrorsAreOneLineEach) {
  std::string file = Write("a\n\x1b[31m.json", "");
  EXPECT_EQ(Run({"import", "--execution-arn", "a", file}), 1);
  EXPECT_EQ(err_, "annals: import: " + folder_ + "/a  [31m.json: INVALID_FILE: holds no events\n");
}

TEST_F(CliWithServer, SaysNothingWhenTheReaderOfAPipeHasGone) {
  EXPECT_EQ(Run({"import", "--execution-arn", "a", Write("long.json", Page(1, 2000))}), 0);
  signal(SIGPIPE, SIG_IGN);
  for (const char *output : {"json", "table"}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    close(ends[0]);
    FILE *out = fdopen(ends[1], "w");
    char *err = nullptr;
    size_t err_size = 0;
    FILE *err_file = open_memstream(&err, &err_size);
    std::vector<std::string> args = {"annals", "history", "a", "--output", output};
    std::vector<char *> argv;
    for (std::string &arg : args) {
      argv.push_back(&arg[0]);
    }
    argv.push_back(nullptr);
    EXPECT_EQ(annals_cli_run(static_cast<int>(args.size()), argv.data(), out, err_file, nullptr),
              1);
    fclose(out);
    fclose(err_file);
    EXPECT_STREQ(err, "") << output;
    free(err);
  }
}

TEST_F(CliWithServer, ImportSendsBatches) {
  std::string file = Write("long.json", Page(1, 2345));
  EXPECT_EQ(Run({"import", "--execution-arn", "a", file}), 0);
  EXPECT_EQ(histories_.append_counts(), (std::vector<int>{1000, 1000, 345}));
  EXPECT_EQ(out_,
            "1 history imported, 0 already there, 0 failed: 2345 events appended, 0 already "
            "there\n");
}

TEST_F(CliWithServer, ImportTellsHowFarItCame) {
  std::string file = Write("long.json", Page(1, 1500));
  ASSERT_EQ(Run({"import", "--execution-arn", "a", file}), 0);
  std::vector<std::string> events = histories_.Get("a");
  events[1199] = EventBytes(1200);
  histories_.Set("a", events);
  EXPECT_EQ(Run({"import", "--execution-arn", "a", file}), 1);
  EXPECT_EQ(err_, "annals: import: " + file +
                      ": EVENT_CONFLICT: another event is stored under id 1200 (its first 1000 "
                      "events are stored)\n");
}

TEST_F(CliWithServer, ImportTriesAgainWhereThatHelps) {
  histories_.ReplyNext({14, "full", StatusDetails("NO_SPACE", {}, 1)});
  histories_.ReplyNext({14, "lost", StatusDetails("OUTCOME_UNKNOWN", {})});
  std::string file = Write("one.json", Page(1, 1));
  EXPECT_EQ(Run({"import", "--execution-arn", "a", file}), 0) << err_;
  EXPECT_EQ(out_,
            "1 history imported, 0 already there, 0 failed: 1 event appended, 0 already there\n");
}

TEST_F(CliWithServer, ImportDoesNotTryAgainWhereThatDoesNotHelp) {
  histories_.ReplyNext({13, "broken\n\x1b[2J", StatusDetails("INTERNAL", {})});
  std::string file = Write("one.json", Page(1, 1));
  EXPECT_EQ(Run({"import", "--execution-arn", "a", file}), 1);
  EXPECT_EQ(err_, "annals: import: " + file + ": INTERNAL: broken  [2J\n");
}

TEST_F(CliWithServer, HistoryAsJson) {
  std::string file = Write("one.json", Page(1, 3));
  ASSERT_EQ(Run({"import", "--execution-arn", "a", file}), 0);
  EXPECT_EQ(Run({"history", "a"}), 0) << err_;
  EXPECT_EQ(out_, Page(1, 3));
  EXPECT_EQ(err_, "");
  EXPECT_EQ(Run({"history", "a", "--reverse"}), 0);
  EXPECT_EQ(out_, "{\"events\":[\n" + Event(3) + ",\n" + Event(2) + ",\n" + Event(1) + "\n]}\n");
}

TEST_F(CliWithServer, HistoryOfManyPages) {
  std::string file = Write("one.json", Page(1, 2500));
  ASSERT_EQ(Run({"import", "--execution-arn", "a", file}), 0);
  EXPECT_EQ(Run({"history", "a"}), 0);
  EXPECT_EQ(out_, Page(1, 2500));
  EXPECT_EQ(histories_.page_calls(), 3u);
}

TEST_F(CliWithServer, HistoryPageByPage) {
  std::string file = Write("one.json", Page(1, 3));
  ASSERT_EQ(Run({"import", "--execution-arn", "a", file}), 0);
  EXPECT_EQ(Run({"history", "a", "--max-results", "2"}), 0);
  EXPECT_EQ(out_, "{\"events\":[\n" + Event(1) + ",\n" + Event(2) + "\n],\"nextToken\":\"2\"}\n");
  EXPECT_EQ(Run({"history", "a", "--max-results", "2", "--next-token", "2"}), 0);
  EXPECT_EQ(out_, "{\"events\":[\n" + Event(3) + "\n]}\n");
  EXPECT_EQ(histories_.page_calls(), 2u);
}

TEST_F(CliWithServer, HistoryAsTable) {
  histories_.Set("a", {EventBytes(1), EventBytes(2)});
  EXPECT_EQ(Run({"history", "a", "--output", "table"}), 0);
  EXPECT_EQ(
      out_,
      "    ID  TIME                      TYPE                          PREVIOUS  DETAIL\n"
      "     1  2018-05-02T17:57:55.580Z  PassStateEntered                     0  HelloWorld\n"
      "     2  2018-05-02T17:57:55.580Z  PassStateEntered                     1  HelloWorld\n");
  EXPECT_EQ(Run({"history", "a", "--output", "table", "--max-results", "1"}), 0);
  EXPECT_EQ(out_.substr(out_.rfind("next")), "next token: 1\n");
}

TEST_F(CliWithServer, ErrorsOfTheServerAreOneLine) {
  EXPECT_EQ(Run({"history", "a"}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "annals: history: EXECUTION_DOES_NOT_EXIST: Execution Does Not Exist: 'a'\n");
}

TEST_F(CliWithServer, EndpointOfTheCommandLineCountsMost) {
  std::string endpoint = server_.endpoint();
  setenv("ANNALS_ENDPOINT", "127.0.0.1:1", 1);
  histories_.Set("a", {EventBytes(1)});
  EXPECT_EQ(Run({"history", "a", "--endpoint", endpoint}), 0) << err_;
  EXPECT_EQ(Run({"--endpoint", endpoint, "history", "a"}), 0) << err_;
  EXPECT_EQ(Run({"--endpoint", "127.0.0.1:1", "history", "--endpoint", endpoint, "a"}), 0) << err_;
  EXPECT_EQ(Run({"history", "a"}), 1);
  EXPECT_EQ(err_.substr(0, 30), "annals: history: UNAVAILABLE: ");
}

TEST_F(CliWithServer, LostOutputFails) {
  histories_.Set("a", {EventBytes(1)});
  std::string arn = "a";
  std::string command = "history";
  std::string name = "annals";
  char *argv[] = {&name[0], &command[0], &arn[0], nullptr};
  char *err = nullptr;
  size_t err_size = 0;
  FILE *full = fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  FILE *err_file = open_memstream(&err, &err_size);
  EXPECT_EQ(annals_cli_run(3, argv, full, err_file, nullptr), 1);
  fclose(full);
  fclose(err_file);
  EXPECT_STREQ(err, "annals: history: standard output: No space left on device\n");
  free(err);
}

}  // namespace
}  // namespace annals
