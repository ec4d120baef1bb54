#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "server/history/arn.h"
#include "server/history/error.h"
}

namespace {

/* "" when the ARN is good, else the failure's message. */
std::string Check(const std::string &arn) {
  g_autoptr(GError) error = nullptr;
  if (annals_execution_arn_check(arn.c_str(), &error)) {
    EXPECT_EQ(error, nullptr);
    return "";
  }
  EXPECT_EQ(annals_error_reason(error), ANNALS_REASON_INVALID_ARN);
  return error->message;
}

std::string Execution(const std::string &machine, const std::string &name) {
  return "arn:aws:states:us-east-1:123456789012:execution:" + machine + ":" + name;
}

TEST(Arn, AcceptsExecutions) {
  for (const std::string &arn :
       {Execution("m", "n"), Execution("m/label", "d8f1a7c2"),
        Execution(std::string(80, 'm'), std::string(80, 'n')), Execution("m.(a)'!@=+_-", "~"),
        Execution("m", "na\xc3\xafve"),
        std::string("arn:aws-cn:states:cn-north-1:123456789012:execution:m:n"),
        std::string("arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:m:n")}) {
    EXPECT_EQ(Check(arn), arn.find('~') == std::string::npos
                              ? ""
                              : "The execution name has a character that is not allowed in names: "
                                "'~'");
  }
}

TEST(Arn, SaysWhatIsWrong) {
  EXPECT_EQ(Check(""), "Invalid ARN prefix: ");
  EXPECT_EQ(Check("nonsense"), "Invalid ARN prefix: nonsense");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012"),
            "Too few parts: arn:aws:states:REGION:ACCOUNT:execution:… is expected");
  EXPECT_EQ(Check("arn:gcp:states:us-east-1:123456789012:execution:m:n"),
            "Invalid partition: 'gcp'");
  EXPECT_EQ(Check("arn:awsx:states:us-east-1:123456789012:execution:m:n"),
            "Invalid partition: 'awsx'");
  EXPECT_EQ(Check("arn:aws-:states:us-east-1:123456789012:execution:m:n"),
            "Invalid partition: 'aws-'");
  EXPECT_EQ(Check("arn::states:us-east-1:123456789012:execution:m:n"), "Invalid partition: ''");
  EXPECT_EQ(Check("arn:aws:lambda:us-east-1:123456789012:execution:m:n"),
            "Invalid service: 'lambda', 'states' is expected");
  EXPECT_EQ(Check("arn:aws:states::123456789012:execution:m:n"), "Invalid region: ''");
  EXPECT_EQ(Check("arn:aws:states:US:123456789012:execution:m:n"), "Invalid region: 'US'");
  EXPECT_EQ(Check("arn:aws:states:-us-east-1:123456789012:execution:m:n"),
            "Invalid region: '-us-east-1'");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:12345678901:execution:m:n"),
            "Invalid account: '12345678901', 12 digits are expected");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:12345678901x:execution:m:n"),
            "Invalid account: '12345678901x', 12 digits are expected");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012:express:m:n:u"),
            "Resource type not valid in this context: express");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012:stateMachine:m"),
            "Resource type not valid in this context: stateMachine");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012:activity:m"),
            "Resource type not valid in this context: activity");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012:mapRun:m/label:u"),
            "Resource type not valid in this context: mapRun");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012::m:n"),
            "Resource type not valid in this context: ");
  EXPECT_EQ(Check("ARN:aws:states:us-east-1:123456789012:execution:m:n"),
            "Invalid ARN prefix: ARN:aws:states:us-east-1:123456789012:execution:m:n");
  EXPECT_EQ(Check("arn:"), "Too few parts: arn:aws:states:REGION:ACCOUNT:execution:… is expected");
  EXPECT_EQ(Check("arn:aws:states:us-east-1:123456789012:execution:m"),
            "An execution is named by execution:STATE_MACHINE:NAME");
  EXPECT_EQ(Check(Execution("m", "n:o")), "An execution is named by execution:STATE_MACHINE:NAME");
  EXPECT_EQ(Check(Execution("", "n")),
            "The state machine name must have 1 to 80 characters, it has 0");
  EXPECT_EQ(Check(Execution("m/", "n")),
            "The map state label must have 1 to 80 characters, it has 0");
  EXPECT_EQ(Check(Execution("m", std::string(81, 'n'))),
            "The execution name must have 1 to 80 characters, it has 81");
  EXPECT_EQ(Check(Execution("m", "\xff")), "The ARN is not valid UTF-8");
  EXPECT_EQ(Check(Execution("m", std::string(250, 'n'))), "The ARN is longer than 256 bytes");
}

TEST(Arn, RefusesCharactersThatNamesMayNotHave) {
  for (const char *c :
       {" ",           "\t", "<", ">", "{",  "}",    "[",    "]",        "?",
        "*",           "\"", "#", "%", "\\", "^",    "|",    "~",        "`",
        "$",           "&",  ",", ";", "/",  "\x01", "\x7f", "\xc2\x85", "\xef\xbf\xbe",
        "\xe2\x80\x83"}) {
    EXPECT_EQ(Check(Execution("m", std::string("a") + c)),
              std::string("The execution name has a character that is not allowed in names: 'a") +
                  c + "'");
  }
}

/* The same of any check. */
std::string With(bool (*check)(const char *, GError **), const std::string &arn) {
  g_autoptr(GError) error = nullptr;
  bool ok = check(arn.c_str(), &error);
  EXPECT_EQ(ok, error == nullptr);
  return ok ? "" : error->message;
}

TEST(Arn, StateMachinesMayBeQualified) {
  const std::string plain = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
  const std::string labelled = plain + "/label";
  for (const std::string &arn : {plain, labelled}) {
    EXPECT_EQ(With(annals_state_machine_arn_check, arn), "");
    EXPECT_EQ(With(annals_any_state_machine_arn_check, arn), "");
    EXPECT_EQ(With(annals_qualified_state_machine_arn_check, arn),
              "A version or alias is named by stateMachine:NAME:VERSION_OR_ALIAS");
    for (const char *qualifier : {":1", ":alias"}) {
      EXPECT_EQ(With(annals_state_machine_arn_check, arn + qualifier),
                "A state machine is named by stateMachine:NAME");
      EXPECT_EQ(With(annals_any_state_machine_arn_check, arn + qualifier), "");
      EXPECT_EQ(With(annals_qualified_state_machine_arn_check, arn + qualifier), "");
    }
  }
  EXPECT_EQ(With(annals_any_state_machine_arn_check, plain + ":1:2"),
            "A state machine is named by stateMachine:NAME or stateMachine:NAME:VERSION_OR_ALIAS");
  EXPECT_EQ(With(annals_any_state_machine_arn_check, plain + ":"),
            "The version or alias must have 1 to 80 characters, it has 0");
  EXPECT_EQ(With(annals_any_state_machine_arn_check, plain + ":a b"),
            "The version or alias has a character that is not allowed in names: 'a b'");
  EXPECT_EQ(With(annals_any_state_machine_arn_check, Execution("m", "n")),
            "Resource type not valid in this context: execution");
}

TEST(Arn, MapRunsHaveALabelAndAName) {
  const std::string head = "arn:aws:states:us-east-1:123456789012:mapRun:";
  const std::string shape = "A map run is named by mapRun:STATE_MACHINE/LABEL:NAME";
  EXPECT_EQ(With(annals_map_run_arn_check, head + "m/l:82bac2d2-ba74-4ae6-a7b4-8a4a5e3e8c02"), "");
  std::string wide;
  for (int i = 0; i < 80; i++) {
    wide += "\xc3\xa9";
  }
  EXPECT_EQ(With(annals_map_run_arn_check, head + wide + "/" + wide + ":" + wide), "");
  EXPECT_EQ(With(annals_map_run_arn_check, head + "m:u"), shape);
  EXPECT_EQ(With(annals_map_run_arn_check, head + "m/l"), shape);
  EXPECT_EQ(With(annals_map_run_arn_check, head + "m/l:u:v"), shape);
  EXPECT_EQ(With(annals_map_run_arn_check, head + "m/l: "),
            "The map run name has a character that is not allowed in names: ' '");
  EXPECT_EQ(With(annals_map_run_arn_check, head + "m/l:" + std::string(2000, 'u')),
            "The ARN is longer than 2000 bytes");
  EXPECT_EQ(With(annals_map_run_arn_check, Execution("m/l", "n")),
            "Resource type not valid in this context: execution");
}

TEST(Arn, MapRunIsOfAStateMachine) {
  const std::string run = "arn:aws:states:us-east-1:123456789012:mapRun:m/l:u";
  for (const std::string &arn :
       {Execution("m", "n"), Execution("m/l", "n"), Execution("m/x", "n")}) {
    EXPECT_TRUE(annals_map_run_arn_is_of(run.c_str(), arn.c_str())) << arn;
  }
  for (const std::string &arn :
       {Execution("mm", "n"), std::string("arn:aws:states:us-east-1:123456789013:execution:m:n"),
        std::string("arn:aws:states:us-east-2:123456789012:execution:m:n"),
        std::string("arn:aws-cn:states:us-east-1:123456789012:execution:m:n")}) {
    EXPECT_FALSE(annals_map_run_arn_is_of(run.c_str(), arn.c_str())) << arn;
  }
  EXPECT_FALSE(annals_map_run_arn_is_of("a map run", Execution("m", "n").c_str()));
}

TEST(Arn, GivesTheName) {
  EXPECT_STREQ(annals_execution_arn_name("arn:aws:states:us-east-1:123456789012:execution:m/l:n"),
               "n");
}

TEST(Arn, GivesTheStateMachine) {
  g_autofree char *plain = annals_execution_arn_state_machine(Execution("m", "n").c_str());
  EXPECT_STREQ(plain, "arn:aws:states:us-east-1:123456789012:stateMachine:m");
  g_autofree char *labelled = annals_execution_arn_state_machine(Execution("m/l", "n").c_str());
  EXPECT_STREQ(labelled, "arn:aws:states:us-east-1:123456789012:stateMachine:m/l");
  g_autofree char *odd = annals_execution_arn_state_machine(
      "arn:aws-cn:states:execution:123456789012:execution:execution:states");
  EXPECT_STREQ(odd, "arn:aws-cn:states:execution:123456789012:stateMachine:execution");
}

}  // namespace
