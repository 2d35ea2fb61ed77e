# Sourced by scripts/demo and scripts/test: installs what is missing and nothing else. Needs bash 3.2 (macOS has that).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv_python="$root/.venv/bin/python"

say() { printf '%s\n' "== $*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# The programs that simulate and compile for the board.
have_arm_compiler() {
    command -v arm-none-eabi-gcc >/dev/null || return 1
    # without newlib the name comes back as it is
    [ "$(arm-none-eabi-gcc -print-file-name=nano.specs)" != nano.specs ]
}

have_qemu() { command -v "${TINYENGINE_QEMU:-qemu-system-arm}" >/dev/null; }

# A Python new enough, with venv: prints its name.
find_python() {
    local name
    for name in python3.12 python3.11 python3.13 python3; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    return 1
}

# apt as root, through sudo if that asks for no password; fails when neither is possible.
apt_get() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive apt-get "$@"
    fi
}

apt_log=".cache/setup-apt.log"

# apt_install PACKAGE...
apt_install() {
    say "installing $*"
    mkdir -p .cache
    { apt_get update -q && apt_get install -q -y --no-install-recommends "$@"; } >"$apt_log" 2>&1 || {
        tail -n 5 "$apt_log" >&2
        return 1
    }
}

can_apt() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

ensure_programs() {
    local missing=()
    have_arm_compiler || missing+=(gcc-arm-none-eabi libnewlib-arm-none-eabi)
    have_qemu || missing+=(qemu-system-arm)
    [ -x "$venv_python" ] || find_python >/dev/null || missing+=(python3 python3-venv)
    [ ${#missing[@]} = 0 ] && return
    if ! can_apt; then
        case $(uname -s) in
            Darwin) fail "install what is missing with 'brew install qemu python@3.12' and 'brew install --cask gcc-arm-embedded', then run this again" ;;
            *) fail "these Debian packages are missing and installing them needs root: sudo apt-get install ${missing[*]}" ;;
        esac
    fi
    apt_install "${missing[@]}" || fail "apt could not install ${missing[*]}: see $apt_log"
}

# clang with the runtime of its sanitizers and of libFuzzer.
have_clang() {
    mkdir -p .cache
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9; }' |
        clang -fsanitize=fuzzer,address,undefined -x c - -o .cache/clang-probe 2>/dev/null
}

# Some tests want clang; where it cannot be had they are skipped, so this never fails.
ensure_clang() {
    have_clang && return
    if can_apt && { command -v clang >/dev/null || apt_install clang; } && ! have_clang; then
        apt_install "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" || true  # of clang's own version
    fi
    have_clang || echo "clang or the runtime of its sanitizers is not there: the tests that need it are skipped"
}

# The test of `tinyengine live` looks at its page; where chromium cannot be had it is skipped, so this never fails.
ensure_chromium() {
    command -v chromium >/dev/null && return
    if can_apt; then apt_install chromium || true; fi
    command -v chromium >/dev/null || echo "chromium is not there: the test that needs a browser is skipped"
}

# The speech of some tests; where it cannot be had they are skipped.
ensure_speech() {
    command -v espeak-ng >/dev/null || { can_apt && apt_install espeak-ng; } ||
        echo "espeak-ng is not there: the tests that need speech are skipped"
}

# What compiles and simulates for RISC-V (200 MB to fetch); where it cannot be had the tests that need it are skipped.
ensure_riscv() {
    local missing=()
    [ "$(riscv64-unknown-elf-gcc -print-file-name=picolibc.specs 2>/dev/null)" != picolibc.specs ] &&
        command -v riscv64-unknown-elf-gcc >/dev/null ||
        missing+=(gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf)
    command -v "${TINYENGINE_QEMU_RISCV32:-qemu-system-riscv32}" >/dev/null || missing+=(qemu-system-misc)
    [ ${#missing[@]} = 0 ] || { can_apt && apt_install "${missing[@]}"; } ||
        echo "${missing[*]} are not there: the tests that need them are skipped"
}

# ensure_venv EXTRAS: .venv with this package, editable, and its extras; nothing to do when pyproject.toml, Python and
# the extras are those of the last time.
ensure_venv() {
    local extras=$1 stamp="$root/.venv/tinyengine-${1//,/-}.stamp" wanted log="$root/.cache/setup-pip.log"
    if ! "$venv_python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        local python
        python=$(find_python) || fail "Python 3.11 or newer with its venv module is needed: install it, then run this again"
        say "creating .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    wanted=$("$venv_python" -c 'import hashlib, sys
print(sys.version.split()[0], hashlib.sha256(open("pyproject.toml", "rb").read()).hexdigest())')
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
    say "installing the Python packages (some minutes the first time)"
    mkdir -p .cache
    if ! "$venv_python" -m pip install --disable-pip-version-check --progress-bar off -e ".[$extras]" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        fail "pip could not install the Python packages: see $log"
    fi
    printf '%s\n' "$wanted" >"$stamp"
}

# setup EXTRAS
setup() {
    ensure_programs
    ensure_venv "$1"
    "$venv_python" -m tinyengine.project.pio
    export PATH="$root/.venv/bin:$PATH"
}
