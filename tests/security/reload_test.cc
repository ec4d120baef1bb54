#include "server/reload.h"

#include <glib/gstdio.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace {

class Reload : public testing::Test {
 protected:
  Reload() {
    const char *folder = g_getenv("TEST_TMPDIR");
    folder_ = std::string(folder == nullptr ? "/tmp" : folder) + "/reload-XXXXXX";
    EXPECT_NE(g_mkdtemp(&folder_[0]), nullptr);
    first_ = folder_ + "/first";
    second_ = folder_ + "/second";
    Write(first_, "1");
    Write(second_, "2");
    const char *paths[] = {first_.c_str(), second_.c_str(), nullptr};
    reload_ = annals_reload_new(nullptr);
    annals_reload_add(reload_, "files", paths, Read, this);
  }
  ~Reload() override {
    annals_reload_free(reload_);
  }

  static bool Read(void *context, GError **error) {
    auto *self = static_cast<Reload *>(context);
    self->reads_++;
    if (self->fails_) {
      g_set_error_literal(error, G_FILE_ERROR, 0, "first: not so");
    }
    return !self->fails_;
  }

  static void Write(const std::string &path, const std::string &text) {
    const std::string fresh = path + ".new";
    std::ofstream(fresh) << text;
    ASSERT_EQ(g_rename(fresh.c_str(), path.c_str()), 0);
  }

  int ReadsAfterLook(bool all = false) {
    reads_ = 0;
    annals_reload_look(reload_, all);
    return reads_;
  }

  std::string folder_, first_, second_;
  annals_reload *reload_;
  int reads_ = 0;
  bool fails_ = false;
};

TEST_F(Reload, LetsFilesBeThatDoNotChange) {
  EXPECT_EQ(ReadsAfterLook(), 0);
  EXPECT_EQ(ReadsAfterLook(), 0);
}

TEST_F(Reload, ReadsOnceWhatHasChangedAndChangesNoMore) {
  Write(second_, "3");
  EXPECT_EQ(ReadsAfterLook(), 0);
  Write(first_, "4");
  EXPECT_EQ(ReadsAfterLook(), 0);
  EXPECT_EQ(ReadsAfterLook(), 1);
  EXPECT_EQ(ReadsAfterLook(), 0);
}

TEST_F(Reload, SeesThatALinkLeadsElsewhere) {
  const std::string link = folder_ + "/link";
  ASSERT_EQ(symlink(first_.c_str(), link.c_str()), 0);
  const char *paths[] = {link.c_str(), nullptr};
  annals_reload_free(reload_);
  reload_ = annals_reload_new(nullptr);
  annals_reload_add(reload_, "files", paths, Read, this);
  ASSERT_EQ(symlink(second_.c_str(), (link + ".new").c_str()), 0);
  ASSERT_EQ(g_rename((link + ".new").c_str(), link.c_str()), 0);
  EXPECT_EQ(ReadsAfterLook(), 0);
  EXPECT_EQ(ReadsAfterLook(), 1);
}

TEST_F(Reload, ReadsAtOnceWhenAsked) {
  EXPECT_EQ(ReadsAfterLook(true), 1);
  Write(first_, "3");
  EXPECT_EQ(ReadsAfterLook(true), 1);
  EXPECT_EQ(ReadsAfterLook(), 0);
}

TEST_F(Reload, TriesAgainWhatHasFailed) {
  fails_ = true;
  Write(first_, "3");
  EXPECT_EQ(ReadsAfterLook(), 0);
  EXPECT_EQ(ReadsAfterLook(), 1);
  EXPECT_EQ(ReadsAfterLook(), 1);
  fails_ = false;
  EXPECT_EQ(ReadsAfterLook(), 1);
  EXPECT_EQ(ReadsAfterLook(), 0);
}

TEST_F(Reload, SaysOnceWhatLasts) {
  fails_ = true;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ReadsAfterLook(true);
  ReadsAfterLook();
  ReadsAfterLook();
  ReadsAfterLook(true);
  const std::string log =
      testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  size_t count = 0;
  for (size_t at = log.find("files stay as they were"); at != std::string::npos;
       at = log.find("files stay as they were", at + 1)) {
    count++;
  }
  EXPECT_EQ(count, 2U) << log;
}

TEST_F(Reload, SeesThatAFileHasGone) {
  fails_ = true;
  ASSERT_EQ(g_unlink(first_.c_str()), 0);
  EXPECT_EQ(ReadsAfterLook(), 0);
  EXPECT_EQ(ReadsAfterLook(), 1);
}

}  // namespace
