// annals export against a server that changes its mind, and annals import of what export writes, as
// it is and with faults.

#include <glib.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/cli_run.h"
#include "tests/client/fake_server.h"

namespace annals {
namespace {

const char kDescribe[] = "/annals.v1.HistoryService/DescribeExecution";
const char kHead[] = "{\"executionArn\":\"arn:e\",\"stateMachineArn\":\"arn:machine\"}\n";

std::string Frame(const std::string &bytes) {
  std::string size;
  for (size_t rest = bytes.size(); size.empty() || rest > 0; rest >>= 7) {
    size += static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0));
  }
  return "\x0a" + size + bytes;
}

// A page of events, with a token if there is more.
FakeReply PageOf(int from, int to, const std::string &token = "") {
  FakeReply reply;
  for (int id = from; id <= to; id++) {
    reply.body += Frame(EventBytes(id));
  }
  if (!token.empty()) {
    reply.body += std::string("\x12") + static_cast<char>(token.size()) + token;
  }
  return reply;
}

FakeReply Failure(int code, const std::string &reason) {
  FakeReply reply;
  reply.code = code;
  reply.message = "no";
  reply.details = StatusDetails(reason, {});
  return reply;
}

std::string EventLine(int id) {
  return R"({"timestamp":1525283875.58,"type":"PassStateEntered","id":)" + std::to_string(id) +
         R"(,"previousEventId":)" + std::to_string(id - 1) +
         R"(,"stateEnteredEventDetails":{"name":"HelloWorld"}})" + "\n";
}

std::string Lines(int from, int to) {
  std::string text;
  for (int id = from; id <= to; id++) {
    text += EventLine(id);
  }
  return text;
}

std::string End(int last_id) {
  return R"({"executionArn":"arn:e","lastEventId":)" + std::to_string(last_id) + "}\n";
}

// Describes arn:e, and gives pages of its history as the test says.
class Export : public ::testing::Test {
 protected:
  Export()
      : server_([this](const std::string &method, const std::string &) {
          FakeReply description;
          description.body = DescriptionBytes("e");
          if (method == kDescribe) {
            return descriptions_-- > 0 ? description : Failure(5, "EXECUTION_DOES_NOT_EXIST");
          }
          g_assert(next_ < pages_.size());
          return pages_[next_++];
        }) {
    setenv("ANNALS_ENDPOINT", server_.endpoint().c_str(), 1);
    char folder[] = "/tmp/annals_export_test.XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/x.jsonl.gz";
  }

  ~Export() override {
    unsetenv("ANNALS_ENDPOINT");
    unlink(file_.c_str());
    EXPECT_EQ(rmdir(folder_.c_str()), 0);  // nothing else is there
  }

  int Run(std::vector<std::string> args) {
    args.insert(args.begin(), "export");
    CliResult result = RunCli(args);
    out_ = result.out;
    err_ = result.err;
    return result.status;
  }

  // Set before a command runs, used by the server's thread.
  std::vector<FakeReply> pages_;
  size_t next_ = 0;
  int descriptions_ = 100;
  FakeServer server_;
  std::string folder_;
  std::string file_;
  std::string out_;
  std::string err_;
};

const char kGone[] =
    "annals: export: arn:e: EXECUTION_DOES_NOT_EXIST: it is not there, or was deleted meanwhile\n";

TEST_F(Export, WritesAllPages) {
  pages_ = {PageOf(1, 2, "t"), PageOf(3, 4)};
  EXPECT_EQ(Run({"arn:e"}), 0);
  EXPECT_EQ(out_, kHead + Lines(1, 4) + End(4));
  EXPECT_EQ(err_, "");
}

TEST_F(Export, WritesAFile) {
  pages_ = {PageOf(1, 2)};
  EXPECT_EQ(Run({"arn:e", "--output", file_}), 0);
  EXPECT_EQ(out_, "1 execution, 2 events exported\n");
  gzFile file = gzopen(file_.c_str(), "rb");
  char text[4096];
  int size = gzread(file, text, sizeof text);
  ASSERT_GT(size, 0);
  EXPECT_EQ(gzdirect(file), 0);
  EXPECT_EQ(std::string(text, static_cast<size_t>(size)), kHead + Lines(1, 2) + End(2));
  gzclose(file);
  struct stat about;
  ASSERT_EQ(stat(file_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(Export, WritesNothingOfWhatIsDeletedMeanwhile) {
  pages_ = {PageOf(1, 2, "t"), Failure(5, "EXECUTION_DOES_NOT_EXIST")};
  descriptions_ = 1;
  EXPECT_EQ(Run({"arn:e"}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, kGone);
}

TEST_F(Export, BeginsAgainWhatIsBegunAnewMeanwhile) {
  pages_ = {PageOf(1, 2, "t"), Failure(3, "INVALID_TOKEN"), PageOf(1, 3)};
  EXPECT_EQ(Run({"arn:e"}), 0);
  EXPECT_EQ(out_, kHead + Lines(1, 3) + End(3));
  EXPECT_EQ(err_, "");
}

TEST_F(Export, NoticesThatItWasDescribedBefore) {
  FakeReply other = PageOf(1, 1);
  other.body[other.body.find("\x0a\x0c") + 3] ^= 1;  // the timestamp's seconds
  pages_ = {other, PageOf(1, 2)};
  EXPECT_EQ(Run({"arn:e"}), 0);
  EXPECT_EQ(out_, kHead + Lines(1, 2) + End(2));
}

TEST_F(Export, GoesOnWithTheOthers) {
  pages_ = {Failure(15, "DATA_CORRUPTED"), PageOf(1, 1)};
  EXPECT_EQ(Run({"arn:e", "arn:e"}), 1);
  EXPECT_EQ(out_, kHead + Lines(1, 1) + End(1));
  EXPECT_EQ(err_, "annals: export: arn:e: DATA_CORRUPTED: no\n");
}

TEST_F(Export, LeavesNoFileWhenItStops) {
  pages_ = {PageOf(1, 1), Failure(13, "INTERNAL")};
  EXPECT_EQ(Run({"arn:e", "arn:e", "--output", file_}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "annals: export: arn:e: INTERNAL: no\n");
  EXPECT_NE(access(file_.c_str(), F_OK), 0);
  EXPECT_EQ(Run({"arn:e", "--output", folder_ + "/none/x"}), 1);
  EXPECT_EQ(err_,
            "annals: export: cannot write " + folder_ + "/none/x: No such file or directory\n");
}

TEST_F(Export, UsageErrors) {
  const std::string hint = "\nTry 'annals export --help'.\n";
  for (const std::vector<std::string> &args :
       {std::vector<std::string>{}, {"a", "--state-machine", "b"}, {"--map-run", "a", "b"}}) {
    EXPECT_EQ(Run(args), 2);
    EXPECT_EQ(err_, "annals: export: one of ARN…, --state-machine and --map-run is wanted" + hint);
  }
  EXPECT_EQ(Run({"a", "--since", "2027-01-01"}), 2);
  EXPECT_EQ(err_, "annals: export: --since goes with --state-machine and --map-run" + hint);
  for (const char *since : {"", "yesterday", "2027-13-01", "2027-01-01T00:00:00"}) {
    EXPECT_EQ(Run({"--map-run", "a", "--since", since}), 2);
    EXPECT_EQ(err_,
              "annals: export: --since is a time such as 2027-01-31T09:00:00Z or a day such "
              "as 2027-01-31" +
                  hint);
  }
}

// Imports a file.
class ImportOfExport : public ::testing::Test {
 protected:
  ImportOfExport() : server_(std::ref(histories_)) {
    setenv("ANNALS_ENDPOINT", server_.endpoint().c_str(), 1);
    char folder[] = "/tmp/annals_export_test.XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/x.jsonl";
  }

  ~ImportOfExport() override {
    unsetenv("ANNALS_ENDPOINT");
    unlink(file_.c_str());
    rmdir(folder_.c_str());
  }

  // Returns what it says, without the file's name.
  std::string Import(const std::string &text) {
    std::ofstream(file_) << text;
    CliResult result = RunCli({"import", file_});
    out_ = result.out;
    EXPECT_EQ(result.status, result.err.empty() ? 0 : 1);
    const std::string before = "annals: import: " + file_ + ": ";
    std::string said;
    std::istringstream lines(result.err);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_EQ(line.substr(0, before.size()), before);
      said += line.substr(before.size()) + "\n";
    }
    return said;
  }

  FakeHistories histories_;
  FakeServer server_;
  std::string folder_;
  std::string file_;
  std::string out_;
};

TEST_F(ImportOfExport, AppendsInBatches) {
  EXPECT_EQ(Import("\xef\xbb\xbf" + std::string(kHead) + Lines(1, 2345) + "\n \n" + End(2345)), "");
  EXPECT_EQ(out_,
            "1 history imported, 0 already there, 0 failed: 2345 events appended, 0 already "
            "there\n");
  EXPECT_EQ(histories_.append_counts(), (std::vector<int>{1000, 1000, 345}));
  EXPECT_EQ(histories_.Get("arn:e").size(), 2345u);
  EXPECT_EQ(Import(kHead + Lines(1, 2345) + End(2345)), "");
  EXPECT_EQ(out_,
            "0 histories imported, 1 already there, 0 failed: 0 events appended, 2345 already "
            "there\n");
}

TEST_F(ImportOfExport, RefusesFaults) {
  const std::string head = kHead;
  const struct {
    std::string text;
    std::string said;
  } cases[] = {
      {head + Lines(1, 2), "arn:e: INVALID_FILE: line 3: the file ends too early\n"},
      {head + Lines(1, 2) + End(3), "arn:e: EVENT_GAP: line 4: events are missing before this\n"},
      {head + Lines(1, 1) + EventLine(3) + End(3),
       "arn:e: EVENT_GAP: line 3: id: 3 is the next after 1\n"},
      {head + Lines(2, 2) + End(2), "arn:e: EVENT_GAP: line 2: id: 2 is the next after 0\n"},
      {head + "[]\n" + End(1), "arn:e: INVALID_FILE: line 2: not an object\n"},
      {head + "{\n" + End(1),
       "arn:e: INVALID_FILE: line 2: string or '}' expected near end of file\n"},
      {head + "{\"id\":1}\n" + End(1), "arn:e: INVALID_EVENT: line 2: type: missing\n"},
      {head + "{\"fly\":1}\n" + End(1), "arn:e: INVALID_EVENT: line 2: fly: unknown member\n"},
      {"{\"executionArn\":7}\n" + Lines(1, 1),
       "INVALID_FILE: line 1: executionArn: not what it can be\n"},
      {"{\"executionArn\":\"arn:e\",\"itemCount\":-1}\n" + Lines(1, 1) + End(1),
       "arn:e: INVALID_FILE: line 1: itemCount: not what it can be\n"},
      {"{\"executionArn\":\"arn:e\",\"fly\":1}\n" + Lines(1, 1) + End(1),
       "arn:e: INVALID_FILE: line 1: fly: unknown member\n"},
      {End(1), "INVALID_FILE: line 1: the end of an execution that has not begun\n"},
  };
  for (const auto &each : cases) {
    EXPECT_EQ(Import(each.text), each.said) << each.text;
  }
  EXPECT_EQ(histories_.Count(), 0u);
}

TEST_F(ImportOfExport, GoesOnWithTheNextExecution) {
  const std::string other = "{\"executionArn\":\"arn:f\"}\n" + Lines(1, 2) +
                            "{\"executionArn\":\"arn:f\",\"lastEventId\":2}\n";
  EXPECT_EQ(Import(kHead + Lines(1, 1) + other + Lines(3, 3) + kHead + Lines(1, 1) + End(1)),
            "arn:e: INVALID_FILE: line 3: the execution's last line is missing before this\n"
            "INVALID_FILE: line 7: an event of no execution\n");
  EXPECT_EQ(out_,
            "2 histories imported, 0 already there, 2 failed: 3 events appended, 0 already "
            "there\n");
  EXPECT_EQ(histories_.Get("arn:e").size(), 1u);
  EXPECT_EQ(histories_.Get("arn:f").size(), 2u);
}

TEST_F(ImportOfExport, TellsHowFarItCame) {
  EXPECT_EQ(Import(kHead + Lines(1, 1500)),
            "arn:e: INVALID_FILE: line 1501: the file ends too early (its first 1000 events are "
            "stored)\n");
  histories_.ReplyNext(Failure(6, "EVENT_CONFLICT"));
  EXPECT_EQ(Import(kHead + Lines(1, 2) + End(2)), "arn:e: EVENT_CONFLICT: no\n");
}

TEST_F(ImportOfExport, ReadsGzip) {
  std::string text = kHead + Lines(1, 3000) + End(3000);
  gzFile file = gzopen((file_ + ".gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  gzclose(file);
  std::ifstream stream(file_ + ".gz");
  std::stringstream bytes;
  bytes << stream.rdbuf();
  unlink((file_ + ".gz").c_str());
  EXPECT_EQ(Import(bytes.str().substr(0, 100)),
            "UNREADABLE_FILE: the compressed data ends too early\n");
  EXPECT_EQ(Import(bytes.str()), "");
  EXPECT_EQ(histories_.Get("arn:e").size(), 3000u);
  std::string flipped = bytes.str();
  flipped[flipped.size() - 6] ^= 1;  // of the checksum
  EXPECT_EQ(Import(flipped),
            "arn:e: UNREADABLE_FILE: incorrect data check (its first 2000 events "
            "are stored)\n");
}

}  // namespace
}  // namespace annals
