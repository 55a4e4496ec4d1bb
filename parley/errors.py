"""What a command ends with: its exit code, and an error as one line."""

from enum import IntEnum

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from infra.regions import UnusableSettingsError


class Exit(IntEnum):
    """Exit codes; docs/cli.md tells them to operators."""

    DONE = 0
    NO = 1  # it is not there, was refused or not confirmed; or what was looked for was found: drift
    USAGE = 2  # the command line or a setting
    FAILED = 3  # AWS, Stripe, the API or the stack did not answer, or not as expected
    STOPPED = 130  # Ctrl-C


class CommandError(Exception):
    """The end of a command, with a line for whoever typed it."""

    def __init__(self, message: str, exit_code: Exit = Exit.NO) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def explained(exc: Exception) -> CommandError:
    """Return any error as one line that says what to do, where that is known."""
    # Imported late, as in the commands: `--help` must be quick, and most errors are none of these.
    from chalicelib.core.errors import ApiError

    if isinstance(exc, CommandError):
        return exc
    if isinstance(exc, ApiError):
        fields = "; ".join(f"{each.param}: {each.message}" for each in exc.errors)
        failed = exc.status >= 500
        message = "AWS or Stripe did not answer as expected." if failed else exc.message
        return CommandError(f"{fields or message} ({exc.code})", Exit.FAILED if failed else Exit.NO)
    if isinstance(exc, ClientError):
        error = exc.response.get("Error", {})
        return CommandError(
            f"AWS refused {exc.operation_name}: {error.get('Code')}: {error.get('Message')}", Exit.FAILED
        )
    if isinstance(exc, NoCredentialsError):
        return CommandError("No AWS credentials. Set AWS_PROFILE, or log in with the AWS CLI.", Exit.FAILED)
    if isinstance(exc, UnusableSettingsError):
        return CommandError(" ".join(str(exc).split()), Exit.USAGE)
    if isinstance(exc, BotoCoreError | OSError):
        return CommandError(" ".join(str(exc).split()), Exit.FAILED)
    return CommandError(
        f"This should not happen: {type(exc).__name__}: {' '.join(str(exc).split())} (PARLEY_DEBUG=1 shows where)",
        Exit.FAILED,
    )
