"""The calls that python-pkcs11 cannot make, through ctypes.

C_Initialize with library parameters (NSS softokn), a signature whose context-specific
login happens on a PIN pad, C_InitToken, and the memory fields of C_GetTokenInfo. The
module is the one already loaded: dlopen of the same path gives the same library. Linux,
CK_ULONG = unsigned long.
"""

import ctypes

from pkcs11 import _pkcs11
from pkcs11.exceptions import PKCS11Error

CKF_OS_LOCKING_OK = 2
CKU_CONTEXT_SPECIFIC = 2
CKM_ECDSA = 0x1041
_MAX_SIGNATURE = 1024

# Places in CK_FUNCTION_LIST (PKCS#11 v2.40 pkcs11f.h), counted from 0.
_C_INITIALIZE = 0
_C_GET_TOKEN_INFO = 6
_C_INIT_TOKEN = 9
_C_LOGIN = 18
_C_SIGN_INIT = 42
_C_SIGN = 43
_FUNCTIONS = 68


class _FunctionList(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_ubyte * 2),
        ("functions", ctypes.c_void_p * _FUNCTIONS),
    )


class _InitializeArgs(ctypes.Structure):
    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_char_p),
    )


class _TokenInfo(ctypes.Structure):
    _fields_ = (
        ("texts", ctypes.c_ubyte * 96),  # label, manufacturerID, model, serialNumber
        ("flags", ctypes.c_ulong),
        ("sessions", ctypes.c_ulong * 4),
        ("pin_lengths", ctypes.c_ulong * 2),
        ("total_public", ctypes.c_ulong),
        ("free_public", ctypes.c_ulong),
        ("total_private", ctypes.c_ulong),
        ("free_private", ctypes.c_ulong),
        ("versions", ctypes.c_ubyte * 4),
        ("time", ctypes.c_ubyte * 16),
    )


class _Mechanism(ctypes.Structure):
    _fields_ = (
        ("mechanism", ctypes.c_ulong),
        ("parameter", ctypes.c_void_p),
        ("parameter_len", ctypes.c_ulong),
    )


class Functions:
    """The function list of one module."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        pointer = ctypes.POINTER(_FunctionList)()
        self._library.C_GetFunctionList.restype = ctypes.c_ulong
        _require(self._library.C_GetFunctionList(ctypes.byref(pointer)))
        self._list = pointer.contents

    def _call(self, place: int, *arguments: object) -> None:
        prototype = ctypes.CFUNCTYPE(ctypes.c_ulong)
        _require(prototype(self._list.functions[place])(*arguments))

    def initialize(self, parameters: str) -> None:
        """C_Initialize with CK_C_INITIALIZE_ARGS.pReserved = the parameter string.

        Raises:
            PKCS11Error: the module refused.
        """
        arguments = _InitializeArgs(flags=CKF_OS_LOCKING_OK, reserved=parameters.encode())
        self._call(_C_INITIALIZE, ctypes.byref(arguments))

    def free_bytes(self, slot: int) -> int | None:
        """CK_TOKEN_INFO.ulFreePrivateMemory; None where the token does not tell.

        Raises:
            PKCS11Error: the module refused.
        """
        info = _TokenInfo()
        self._call(_C_GET_TOKEN_INFO, ctypes.c_ulong(slot), ctypes.byref(info))
        unknown = ctypes.c_ulong(-1).value  # CK_UNAVAILABLE_INFORMATION
        told = int(info.free_private)
        return None if told == unknown or (told == 0 and info.total_private == 0) else told

    def init_token(self, slot: int, so_pin: str, label: str) -> None:
        """C_InitToken (PKCS#11 v3.1 §5.5.7): erases what is on the token.

        Args:
            label: 32 bytes of UTF-8 at most; padded with blanks.

        Raises:
            PKCS11Error: the module refused.
        """
        secret, padded = so_pin.encode(), label.encode().ljust(32)
        if len(padded) != 32:
            raise PKCS11Error("CKR_ARGUMENTS_BAD")
        self._call(
            _C_INIT_TOKEN,
            ctypes.c_ulong(slot),
            ctypes.c_char_p(secret),
            ctypes.c_ulong(len(secret)),
            ctypes.c_char_p(padded),
        )

    def sign_on_pin_pad(self, session: int, key: int, digest: bytes) -> bytes:
        """CKM_ECDSA with a context-specific C_Login(NULL) (PKCS#11 v3.1 §5.6.7).

        Raises:
            PKCS11Error: the module refused.
        """
        mechanism = _Mechanism(mechanism=CKM_ECDSA, parameter=None, parameter_len=0)
        handle = ctypes.c_ulong(session)
        self._call(_C_SIGN_INIT, handle, ctypes.byref(mechanism), ctypes.c_ulong(key))
        user = ctypes.c_ulong(CKU_CONTEXT_SPECIFIC)
        self._call(_C_LOGIN, handle, user, None, ctypes.c_ulong(0))
        size = ctypes.c_ulong(_MAX_SIGNATURE)
        buffer = ctypes.create_string_buffer(_MAX_SIGNATURE)
        data = ctypes.c_char_p(digest)
        length = ctypes.c_ulong(len(digest))
        self._call(_C_SIGN, handle, data, length, buffer, ctypes.byref(size))
        return buffer.raw[: min(size.value, _MAX_SIGNATURE)]


class ParametrizedLibrary(_pkcs11.lib):
    """python-pkcs11's library, initialised with a parameter string (NSS softokn)."""

    def __new__(cls, path: str, _parameters: str) -> "ParametrizedLibrary":
        """Loads the module; `initialize` follows from the base class."""
        library: ParametrizedLibrary = super().__new__(cls, path)  # type: ignore[call-arg]
        return library

    def __init__(self, path: str, parameters: str) -> None:
        self._path = path
        self._parameters = parameters
        super().__init__(path)

    def initialize(self) -> None:
        """C_Initialize, once, as `parameters` say."""
        Functions(self._path).initialize(self._parameters)


def _require(value: int) -> None:
    if value != 0:
        raise PKCS11Error(f"CKR 0x{value:08x}")
