#include "client/execution_name.h"

#include <gtest/gtest.h>

#include <string>

namespace {

std::string Arn(const std::string &prefix, const std::string &path) {
  GError *error = nullptr;
  char *arn = annals_execution_arn_for_file(prefix.c_str(), path.c_str(), &error);
  if (arn == nullptr) {
    std::string text = std::string(annals_aws_error_reason(error->code)) + ": " + error->message;
    g_error_free(error);
    return text;
  }
  std::string text = arn;
  g_free(arn);
  return text;
}

TEST(ExecutionName, FollowsFromTheFile) {
  EXPECT_EQ(Arn("p:", "a/b/c.json"), "p:c");
  EXPECT_EQ(Arn("p", "c.json"), "p:c");
  EXPECT_EQ(Arn("p", "c.jsonl"), "p:c");
  EXPECT_EQ(Arn("p", "c.jsonl.gz"), "p:c");
  EXPECT_EQ(Arn("p", "c.gz"), "p:c");
  EXPECT_EQ(Arn("p", "c.gz.json"), "p:c.gz");
  EXPECT_EQ(Arn("p", "/x/c.ndjson"), "p:c");
  EXPECT_EQ(Arn("p", "c.json.json"), "p:c.json");
  EXPECT_EQ(Arn("p", "c.JSON"), "p:c.JSON");
  EXPECT_EQ(Arn("p", "c"), "p:c");
  EXPECT_EQ(Arn("p", "größe-茶.json"), "p:größe-茶");
}

TEST(ExecutionName, LongerThan80IsShortened) {
  std::string name80(80, 'a');
  EXPECT_EQ(Arn("p", name80 + ".json"), "p:" + name80);
  // printf 'a%.0s' $(seq 81) | sha256sum
  EXPECT_EQ(Arn("p", name80 + "a.json"), "p:" + std::string(71, 'a') + "-" + "8c48280d");
}

TEST(ExecutionName, CharactersAreCountedNotBytes) {
  std::string name;
  for (int i = 0; i < 80; i++) {
    name += "ä";
  }
  EXPECT_EQ(Arn("p", name), "p:" + name);
  std::string longer = Arn("p", name + "ä");
  EXPECT_EQ(g_utf8_strlen(longer.c_str(), -1), 2 + 80);
}

TEST(ExecutionName, WhatNamesMayNotHave) {
  EXPECT_EQ(Arn("p", "a b.json"),
            "INVALID_NAME: the name of an execution may not hold ' ' (U+0020): use "
            "--execution-arn");
  EXPECT_EQ(Arn("p", "a:b"),
            "INVALID_NAME: the name of an execution may not hold ':' (U+003A): use "
            "--execution-arn");
  EXPECT_EQ(Arn("p", ".json"), "INVALID_NAME: the file's name is empty");
  EXPECT_EQ(Arn("p", "dir/"), "INVALID_NAME: the file's name is empty");
  EXPECT_EQ(Arn("p", "a\xff"), "INVALID_NAME: the file's name is not UTF-8");
  for (const char *c :
       {"<", ">", "{", "}", "[", "]", "?", "*", "\"",   "#",    "%",        "\\",
        "^", "|", "~", "`", "$", "&", ",", ";", "\x01", "\x7f", "\xc2\x85", "\xe2\x80\xa8"}) {
    EXPECT_EQ(Arn("p", std::string("a") + c).substr(0, 12), "INVALID_NAME") << c;
  }
}

}  // namespace
