// What takes a process of its own: kill -9, limits, rights. The test runs itself with a word
// and a directory as arguments.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "tests/storage/rocksdb_fixture.h"

extern char **environ;

namespace annals_test {
namespace {

const int kThreads = 8;
const int kExecutions = 4;

// A run of this program as another process. Its standard output is read here; its standard input
// ends when the object goes.
class Child {
 public:
  Child(const std::string &word, const std::string &path) {
    int out[2];
    int in[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::string program = "/proc/self/exe";
    std::string argv_word = word;
    std::string argv_path = path;
    char *argv[] = {program.data(), argv_word.data(), argv_path.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    out_ = fdopen(out[0], "r");
  }
  ~Child() {
    Wait();
    fclose(out_);
  }
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;

  // Returns the next line, without its end; "" behind the last whole one.
  std::string Line() {
    char line[512];
    if (fgets(line, sizeof line, out_) == nullptr || line[strlen(line) - 1] != '\n') {
      return "";
    }
    line[strlen(line) - 1] = '\0';
    return line;
  }

  void Kill() {
    kill(pid_, SIGKILL);
  }

  int Wait() {
    if (in_ >= 0) {
      close(in_);
      in_ = -1;
    }
    if (pid_ > 0) {
      EXPECT_EQ(waitpid(pid_, &status_, 0), pid_);
      pid_ = -1;
    }
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  FILE *out_ = nullptr;
  int status_ = 0;
};

// One write per line: lines of several threads do not mix, and none is lost in a buffer.
void Say(const std::string &line) {
  std::string whole = line + "\n";
  if (write(STDOUT_FILENO, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) {
    _exit(3);
  }
}

// ---- the other process ----------------------------------------------------------------------

// Appends without end, and says what is acknowledged. The record of each append is its last id.
void AppendForever(annals_store *store, int thread) {
  std::mt19937 random(static_cast<unsigned>(thread));
  for (;;) {
    std::string arn =
        "exec-" + std::to_string(thread) + "-" + std::to_string(random() % kExecutions);
    BytesResult tail = Tail(store, arn);
    int64_t first_id = tail.outcome == ANNALS_STORE_OK ? tail.last_id + 1 : 1;
    int64_t last_id = first_id + (random() % 20 == 0 ? 130 : random() % 4);
    AppendOptions options;
    options.seal = random() % 16 == 0;
    options.record = std::to_string(last_id);
    Result result = Append(store, arn, first_id - 1, FramesOf(arn, first_id, last_id), options);
    if (result.outcome != ANNALS_STORE_OK) {
      _exit(4);
    }
    Say(arn + " " + std::to_string(last_id));
  }
}

int RunAppending(const std::string &path) {
  Opened opened = OpenAt(path);
  if (opened.store == nullptr) {
    return 2;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back(AppendForever, opened.store, i);
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  return 0;
}

// Holds a store open until its input ends.
int RunHolding(const std::string &path) {
  Opened opened = OpenAt(path);
  Say(opened.store != nullptr ? "open" : opened.message);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  CloseStore(opened.store);
  return 0;
}

// Opens without root's right to write where the mode says no.
int RunUnprivileged(const std::string &path) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (chdir(path.c_str()) != 0 || syscall(SYS_capset, &header, none) != 0) {
    return 2;
  }
  Opened opened = OpenAt("data");
  Say(std::to_string(opened.code) + " " + opened.message);
  CloseStore(opened.store);
  return 0;
}

// Appends until a file may not grow any more, and says how the last append and one more ended.
int RunLimited(const std::string &path) {
  signal(SIGXFSZ, SIG_IGN);
  Opened opened = OpenAt(path);
  rlimit limit = {256 << 10, 256 << 10};
  if (opened.store == nullptr || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
    return 2;
  }
  int64_t last_id = 0;
  Result result;
  while (result.outcome == ANNALS_STORE_OK && last_id < 1000) {
    last_id++;
    result = Append(opened.store, "a", last_id - 1, FramesOf("a", last_id, last_id, 5000));
  }
  Say(std::to_string(last_id));
  Say(std::to_string(result.outcome) + " " + result.detail);
  result = Append(opened.store, "b", 0, FramesOf("b", 1, 1));
  Say(std::to_string(result.outcome) + " " + result.detail);
  Say(std::to_string(opened.store->ops->health(opened.store)));
  Say(std::to_string(Read(opened.store, "a", 1, false).runs.back().last_id));
  CloseStore(opened.store);
  return 0;
}

// ---- the tests ------------------------------------------------------------------------------

class RocksdbProcessTest : public testing::Test {
 protected:
  TempDir dir_;
};

// Checks one execution against what was acknowledged.
void ExpectAcknowledged(annals_store *store, const std::string &arn, int64_t acknowledged_id) {
  SCOPED_TRACE(arn);
  BytesResult tail = Tail(store, arn);
  ASSERT_EQ(tail.outcome, ANNALS_STORE_OK);
  ASSERT_GE(tail.last_id, acknowledged_id);
  ASSERT_EQ(Get(store, arn).bytes, std::to_string(tail.last_id));
  for (bool reverse : {false, true}) {
    ReadResult result = Read(store, arn, reverse ? INT64_MAX : 1, reverse);
    ASSERT_EQ(result.outcome, ANNALS_STORE_OK) << result.detail;
    std::string frames;
    for (const ReadRun &run : result.runs) {
      frames = reverse ? run.frames + frames : frames + run.frames;
    }
    ASSERT_TRUE(frames == FramesOf(arn, 1, tail.last_id));
  }
}

TEST_F(RocksdbProcessTest, WhatIsAcknowledgedSurvivesKill) {
  std::map<std::string, int64_t> acknowledged;
  for (int round = 0; round < 5; round++) {
    Child child("appending", dir_.path());
    int lines = 0;
    for (std::string line = child.Line(); !line.empty(); line = child.Line()) {
      size_t space = line.find(' ');
      int64_t *last_id = &acknowledged[line.substr(0, space)];
      *last_id = std::max<int64_t>(*last_id, atoll(line.c_str() + space));
      lines++;
      if (lines == 200 + 150 * round) {
        child.Kill();
      }
    }
    int status = child.Wait();
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    Opened opened = OpenAt(dir_.path());
    ASSERT_NE(opened.store, nullptr) << opened.message;
    for (const auto &[arn, last_id] : acknowledged) {
      ExpectAcknowledged(opened.store, arn, last_id);
    }
    CloseStore(opened.store);
  }
  EXPECT_EQ(acknowledged.size(), static_cast<size_t>(kThreads * kExecutions));
}

TEST_F(RocksdbProcessTest, RefusesADirectoryThatAnotherProcessHasOpen) {
  Child child("holding", dir_.path());
  ASSERT_EQ(child.Line(), "open");
  Opened opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.code, ANNALS_ROCKSDB_ERROR_IN_USE);
  EXPECT_EQ(opened.message, dir_.path() + " is in use by another process");
  EXPECT_EQ(child.Wait(), 0);
  opened = OpenAt(dir_.path());
  EXPECT_EQ(opened.message, "");
  CloseStore(opened.store);
}

TEST_F(RocksdbProcessTest, SaysWhenItMayNotMakeTheDirectory) {
  ASSERT_EQ(chmod(dir_.path().c_str(), 0555), 0);
  Child child("unprivileged", dir_.path());
  EXPECT_EQ(child.Line(),
            std::to_string(ANNALS_ROCKSDB_ERROR_DENIED) + " cannot create data: Permission denied");
  EXPECT_EQ(child.Wait(), 0);
  chmod(dir_.path().c_str(), 0755);
}

TEST_F(RocksdbProcessTest, SaysWhenItMayNotWriteInTheDirectory) {
  std::string data = dir_.path() + "/data";
  ASSERT_EQ(mkdir(data.c_str(), 0555), 0);
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  Child child("unprivileged", dir_.path());
  std::string line = child.Line();
  std::string start = std::to_string(ANNALS_ROCKSDB_ERROR_DENIED) + " data is not writable: ";
  EXPECT_EQ(line.substr(0, start.size()), start) << line;
  EXPECT_EQ(child.Wait(), 0);
  chmod(data.c_str(), 0755);
}

TEST_F(RocksdbProcessTest, StopsWritingWhenAFileCannotGrow) {
  Child child("limited", dir_.path());
  int64_t last_id = atoll(child.Line().c_str());
  std::string failed = child.Line();
  EXPECT_EQ(failed.substr(0, 12), std::to_string(ANNALS_STORE_UNKNOWN) + " IO error: ") << failed;
  EXPECT_EQ(child.Line(),
            std::to_string(ANNALS_STORE_UNAVAILABLE) + " writes have stopped after a failed write");
  EXPECT_EQ(child.Line(), std::to_string(ANNALS_STORE_WRITES_STOPPED));
  EXPECT_EQ(atoll(child.Line().c_str()), last_id - 1);
  EXPECT_EQ(child.Wait(), 0);
  Opened opened = OpenAt(dir_.path());
  ASSERT_NE(opened.store, nullptr) << opened.message;
  int64_t there_id = Tail(opened.store, "a").last_id;
  EXPECT_TRUE(there_id == last_id - 1 || there_id == last_id);
  EXPECT_EQ(Append(opened.store, "a", there_id, FramesOf("a", there_id + 1, there_id + 1)).outcome,
            ANNALS_STORE_OK);
  CloseStore(opened.store);
}

}  // namespace
}  // namespace annals_test

int main(int argc, char **argv) {
  const std::map<std::string, int (*)(const std::string &)> words = {
      {"appending", annals_test::RunAppending},
      {"holding", annals_test::RunHolding},
      {"unprivileged", annals_test::RunUnprivileged},
      {"limited", annals_test::RunLimited},
  };
  if (argc == 3 && words.count(argv[1]) > 0) {
    return words.at(argv[1])(argv[2]);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
