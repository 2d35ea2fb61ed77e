"""Names that mean something else wherever a generated network goes."""

from __future__ import annotations

import re

_WORDS = """
    alignas alignof and asm auto bool break case catch char class compl concept const continue constexpr
    decltype default delete do double else enum explicit export extern false float for friend goto if
    import inline int long module mutable namespace new noexcept not nullptr operator or private protected
    public register requires restrict return short signed sizeof static struct switch template this throw
    true try typedef typeid typename typeof union unsigned using virtual void volatile while xor

    assert complex ctype errno fenv inttypes iso646 limits locale math setjmp signal stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar unistd wchar wctype

    begin evaluate finish inputs keep_states layers nobody outputs push_rows reset reset_states run
    run_profiled step trainer

    arm avr i386 linux main memcpy memmove memset te unix

    null eof bufsiz offsetof rand_max exit_success exit_failure edom erange eilseq filename_max fopen_max
    l_tmpnam tmp_max seek_cur seek_end seek_set stdin stdout stderr char_bit char_max char_min schar_max
    schar_min uchar_max shrt_max shrt_min ushrt_max int_max int_min uint_max long_max long_min ulong_max
    llong_max llong_min ullong_max mb_len_max mb_cur_max ptrdiff_max ptrdiff_min size_max ssize_max wchar_max
    wchar_min wint_max wint_min intptr_max intptr_min uintptr_max intmax_max intmax_min uintmax_max intmax_c
    uintmax_c sig_atomic_max sig_atomic_min sig_dfl sig_err sig_ign sigabrt sigfpe sigill sigint sigsegv sigterm
    clocks_per_sec huge_val infinity signbit isfinite isnormal fpclassify isgreater isless isunordered fp_nan
    fp_zero fp_infinite fp_normal fp_subnormal m_e m_pi alloca va_arg va_copy va_end va_list va_start jmp_buf
    div_t ldiv_t lldiv_t file fpos_t time_t clock_t tm size_t ssize_t ptrdiff_t wchar_t wint_t max_align_t
    intptr_t uintptr_t intmax_t uintmax_t off_t pid_t

    a64l abort abs access acos acosf acosh acoshf acoshl acosl aligned_alloc arc4random arc4random_buf
    arc4random_uniform argz_add argz_add_sep argz_append argz_count argz_create argz_create_sep argz_delete
    argz_extract argz_insert argz_next argz_replace argz_stringify asctime asctime_r asin asinf asinh asinhf
    asinhl asinl asprintf atan atan2 atan2f atan2l atanf atanh atanhf atanhl atanl atof atoi atol atoll bcmp
    bcopy bsearch btowc bzero cabs cabsf cabsl cacos cacosf cacosh cacoshf cacoshl cacosl calloc carg cargf
    cargl casin casinf casinh casinhf casinhl casinl catan catanf catanh catanhf catanhl catanl cbrt cbrtf cbrtl
    ccos ccosf ccosh ccoshf ccoshl ccosl ceil ceilf ceill cexp cexpf cexpl cfree cimag cimagf cimagl clearerr
    clearerr_unlocked clock clog clog10 clog10f clogf clogl close conj conjf conjl copysign copysignf copysignl
    cos cosf cosh coshf coshl cosl cpow cpowf cpowl cproj cprojf cprojl creal crealf creall csin csinf csinh
    csinhf csinhl csinl csqrt csqrtf csqrtl ctan ctanf ctanh ctanhf ctanhl ctanl ctime ctime_r difftime div
    dprintf drand48 drem dremf duplocale ecvt environ envz_add envz_entry envz_get envz_merge envz_remove
    envz_strip erand48 erf erfc erfcf erfcl erff erfl execve exit exp exp10 exp10f exp2 exp2f exp2l expf expl
    explicit_bzero expm1 expm1f expm1l fabs fabsf fabsl fclose fcloseall fcntl fcvt fdim fdimf fdiml fdopen
    feclearexcept fegetenv fegetexceptflag fegetround feholdexcept feof feof_unlocked feraiseexcept ferror
    ferror_unlocked fesetenv fesetexceptflag fesetround fetestexcept feupdateenv fflush fflush_unlocked ffs ffsl
    ffsll fgetc fgetc_unlocked fgetpos fgets fgets_unlocked fgetwc fgetwc_unlocked fgetws fgetws_unlocked fileno
    fileno_unlocked finite finitef finitel floor floorf floorl fma fmaf fmal fmax fmaxf fmaxl fmemopen fmin
    fminf fminl fmod fmodf fmodl fopen fopencookie fork fprintf fputc fputc_unlocked fputs fputs_unlocked fputwc
    fputwc_unlocked fputws fputws_unlocked fread fread_unlocked free freelocale freopen frexp frexpf frexpl
    fscanf fseek fseeko fsetpos fstat ftell ftello fwide fwprintf fwrite fwrite_unlocked fwscanf gamma gammaf
    gcvt getc getc_unlocked getchar getchar_unlocked getenv getopt getopt_long getopt_long_only getpid gets
    getsubopt gettimeofday getw getwc getwc_unlocked getwchar getwchar_unlocked gmtime gmtime_r hcreate
    hcreate_r hdestroy hdestroy_r hsearch hsearch_r hypot hypotf hypotl ilogb ilogbf ilogbl imaxabs imaxdiv
    index isalnum isalnum_l isalpha isalpha_l isascii isatty isblank isblank_l iscntrl iscntrl_l isdigit
    isdigit_l isgraph isgraph_l isinf isinff islower islower_l isnan isnanf isprint isprint_l ispunct ispunct_l
    isspace isspace_l isupper isupper_l iswalnum iswalnum_l iswalpha iswalpha_l iswblank iswblank_l iswcntrl
    iswcntrl_l iswctype iswctype_l iswdigit iswdigit_l iswgraph iswgraph_l iswlower iswlower_l iswprint
    iswprint_l iswpunct iswpunct_l iswspace iswspace_l iswupper iswupper_l iswxdigit iswxdigit_l isxdigit
    isxdigit_l j0 j0f j1 j1f jn jnf jrand48 kill l64a labs lcong48 ldexp ldexpf ldexpl ldiv lgamma lgamma_r
    lgammaf lgammaf_r lgammal link llabs lldiv llrint llrintf llrintl llround llroundf llroundl localeconv
    localtime localtime_r log log10 log10f log10l log1p log1pf log1pl log2 log2f log2l logb logbf logbl logf
    logl longjmp lrand48 lrint lrintf lrintl lround lroundf lroundl lseek mallinfo malloc malloc_stats
    malloc_trim malloc_usable_size mallopt mblen mbrlen mbrtowc mbsinit mbsnrtowcs mbsrtowcs mbstowcs mbtowc
    memalign memccpy memchr memcmp memmem mempcpy memrchr mkdtemp mkostemp mkostemps mkstemp mkstemps mktemp
    mktime modf modff modfl mrand48 nan nanf nanl nearbyint nearbyintf nearbyintl newlocale nextafter nextafterf
    nextafterl nexttoward nexttowardf nexttowardl nl_langinfo nl_langinfo_l nrand48 on_exit open open_memstream
    open_wmemstream optarg opterr optind optopt perror pow pow10 pow10f powf powl printf psignal putc
    putc_unlocked putchar putchar_unlocked putenv puts putw putwc putwc_unlocked putwchar putwchar_unlocked
    pvalloc qsort qsort_r quick_exit raise rand rand_r random rawmemchr read realloc reallocarray remainder
    remainderf remainderl remove remquo remquof remquol rename rewind rindex rint rintf rintl round roundf
    roundl rpmatch sbrk scalb scalbf scalbln scalblnf scalblnl scalbn scalbnf scalbnl scanf seed48 setbuf
    setbuffer setenv setlinebuf setlocale setvbuf significand significandf sin sincos sincosf sinf sinh sinhf
    sinhl sinl snprintf sprintf sqrt sqrtf sqrtl srand srand48 srandom sscanf stat stpcpy stpncpy strcasecmp
    strcasecmp_l strcasestr strcat strchr strchrnul strcmp strcoll strcoll_l strcpy strcspn strdup strerror
    strerror_l strerror_r strftime strftime_l strlen strncasecmp strncasecmp_l strncat strncmp strncpy strndup
    strnlen strpbrk strptime strptime_l strrchr strsep strsignal strspn strstr strtod strtod_l strtof strtof_l
    strtoimax strtok strtok_r strtol strtol_l strtold strtold_l strtoll strtoll_l strtoul strtoul_l strtoull
    strtoull_l strtoumax strverscmp strxfrm strxfrm_l swab swprintf swscanf system tan tanf tanh tanhf tanhl
    tanl tdelete tdestroy tempnam tfind tgamma tgammaf tgammal times tmpfile tmpnam toascii tolower tolower_l
    toupper toupper_l towctrans towctrans_l towlower towlower_l towupper towupper_l trunc truncf truncl tsearch
    twalk tzset ungetc ungetwc unlink unsetenv uselocale valloc vasprintf vdprintf vfprintf vfscanf vfwprintf
    vfwscanf vprintf vscanf vsnprintf vsprintf vsscanf vswprintf vswscanf vwprintf vwscanf wait wcpcpy wcpncpy
    wcrtomb wcscasecmp wcscasecmp_l wcscat wcschr wcscmp wcscoll wcscoll_l wcscpy wcscspn wcsdup wcsftime
    wcsftime_l wcslen wcsncasecmp wcsncasecmp_l wcsncat wcsncmp wcsncpy wcsnlen wcsnrtombs wcspbrk wcsrchr
    wcsrtombs wcsspn wcsstr wcstod wcstod_l wcstof wcstof_l wcstoimax wcstok wcstol wcstol_l wcstold wcstold_l
    wcstoll wcstoll_l wcstombs wcstoul wcstoul_l wcstoull wcstoull_l wcstoumax wcswidth wcsxfrm wcsxfrm_l wctob
    wctomb wctrans wctrans_l wctype_l wcwidth wmemchr wmemcmp wmemcpy wmemmove wmempcpy wmemset wprintf write
    wscanf y0 y0f y1 y1f yn ynf

    aux con nul prn com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9

    analogread analogwrite attachinterrupt bit byte boolean constrain delay delaymicroseconds digitalread
    digitalwrite high input led_builtin loop low lowbyte map max micros millis min nointerrupts output pinmode
    print serial setup shiftout spi tone usb wire word yield
"""
"""Keywords of C and C++; headers of the C library, which <prefix>.h would hide; names within the generated file; macros
and functions that a compiler knows; macros and types of C's headers; functions of the C library; names that no file may
have on Windows; Arduino's own."""

TAKEN = frozenset(re.findall(r"\w+", _WORDS))
_INTEGERS = re.compile(r"u?int(_least|_fast)?(8|16|32|64)_(t|c|min|max)")


def is_taken(name: str) -> bool:
    """Whatever its case: file systems that ignore it find String.h for string.h, and macros are capitals."""
    return name.lower() in TAKEN or bool(_INTEGERS.fullmatch(name.lower()))
