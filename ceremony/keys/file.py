"""One private key in an encrypted file: the key store where there is no token.

PKCS #8 under PBES2: PBKDF2-HMAC-SHA256 with 600 000 rounds, AES-256-CBC (RFC 8018),
in PEM (RFC 7468 §11). `openssl pkey` reads it.
"""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.config import Curve
from ceremony.core import words
from ceremony.core.ports import KeyInfo, KeyObject, KeyStore, StoreInfo
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.keys import ecdsa, pkcs8

PASSPHRASE_BYTES = 12  # 96 bits, twelve words
MAX_PASSPHRASE = 1024


def new_passphrase(randbytes: Callable[[int], bytes]) -> Secret:
    """A passphrase of twelve PGP words joined by hyphens: 96 bits.

    Args:
        randbytes: a secure source.
    """
    return Secret(words.phrase(randbytes(PASSPHRASE_BYTES)))


class FileKeyStore(KeyStore):
    """One key in one file, which need not exist yet.

    A key is written under another name, synced, read back and decrypted, and only then
    gets its own name, which must be free: a half-written file is never taken for a key.

    Args:
        path: ``<label>.key`` in a folder that only this user can write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._partial = f".{path.name}.partial"
        self._passphrase: Secret | None = None
        self._key: ec.EllipticCurvePrivateKey | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets passphrase and key; safe to call twice."""
        self._passphrase = None
        self._key = None

    def info(self) -> StoreInfo:
        """The file's path; `initialized` says whether there is a key."""
        return StoreInfo(
            kind="file",
            name=str(self._path),
            label=self._path.stem,
            initialized=os.path.lexists(self._path),
        )

    def login(self, secret: Secret | None) -> None:
        """Takes the passphrase; decrypts the key if there is one already.

        Raises:
            KeyStoreError: `file.passphrase_wrong`, `file.permissions`, `file.form`, ...
        """
        self.close()
        if secret is None or not 0 < len(secret.reveal().encode()) <= MAX_PASSPHRASE:
            raise _error("passphrase_missing", "the key file needs a passphrase")
        with _Folder(self._path.parent) as folder:
            data = folder.read(self._path.name)
            if data is not None:
                self._key = pkcs8.decrypt(data, secret, self._shown)
                folder.remove(self._partial)
        self._passphrase = secret

    def keys(self) -> tuple[KeyInfo, ...]:
        """The one key, or none.

        Raises:
            KeyStoreError: `file.not_logged_in`.
        """
        self._require_login()
        return () if self._key is None else (self._describe(self._key),)

    def objects(self, label: str, key_id: str) -> tuple[KeyObject, ...]:  # noqa: ARG002
        """The one key of that label, whole: a file is there or not."""
        return tuple(
            KeyObject(kind="private", label=key.label, key_id="", key_type="EC")
            for key in self.keys()
            if key.label == label
        )

    def discard(self, objects: Sequence[KeyObject]) -> None:
        """There are no halves in a file.

        Raises:
            LookupError: always; a bug.
        """
        raise LookupError(f"a key file has no halves: {objects}")

    def generate(self, label: str, key_id: str, curve: Curve) -> KeyInfo:  # noqa: ARG002
        """Makes the key and writes it; `key_id` has no place in a file.

        Raises:
            KeyStoreError: `file.label`, `file.exists`: nothing was made. `file.unwritable`,
                `file.read_back`: no key has the file's name.
        """
        passphrase = self._require_login()
        if label != self._path.stem:
            raise _error("label", f"the file {self._shown} is not for a key '{show(label)}'")
        key = ec.generate_private_key(ecdsa.CURVES[curve].curve)
        data = pkcs8.encrypt(key, passphrase)
        try:
            with _Folder(self._path.parent) as folder:
                self._store(folder, data, key)
        except OSError as exc:
            raise _error(
                "unwritable", f"the key file {self._shown} cannot be written: {exc.strerror}"
            ) from exc
        self._key = key
        return self._describe(key)

    def _store(self, folder: "_Folder", data: bytes, key: ec.EllipticCurvePrivateKey) -> None:
        if folder.exists(self._path.name):
            raise _error("exists", f"the file {self._shown} is there already; nothing was made")
        folder.remove(self._partial)
        try:
            folder.write(self._partial, data)
            back = folder.read(self._partial)
            passphrase = self._require_login()
            if back != data or _spki(pkcs8.decrypt(back, passphrase, self._shown)) != _spki(key):
                raise _error("read_back", f"the key file {self._shown} reads back changed")
            folder.link(self._partial, self._path.name)
        except FileExistsError as exc:
            raise _error(
                "exists", f"the file {self._shown} appeared meanwhile; it was kept"
            ) from exc
        finally:
            folder.remove(self._partial)

    def sign(self, key: KeyInfo, data: bytes) -> bytes:
        """DER ECDSA-Sig-Value, verified with `key.spki` before it is returned.

        Raises:
            KeyStoreError: `file.key_missing`, `token.signature_wrong`.
        """
        private = self._private(key)
        digest = ecdsa.digest_of(key.curve, data)
        algorithm = ec.ECDSA(Prehashed(ecdsa.CURVES[key.curve].digest))
        der = private.sign(digest, algorithm)
        ecdsa.verify(private.public_key(), key.curve, digest, der)
        return der

    def sign_digests(self, key: KeyInfo, digests: Sequence[bytes]) -> tuple[bytes, ...]:
        """As the port says: OpenSSL in this process signs, and nothing is verified.

        Raises:
            KeyStoreError: `file.key_missing`, `file.not_logged_in`.
        """
        private = self._private(key)
        algorithm = ec.ECDSA(Prehashed(ecdsa.CURVES[key.curve].digest))
        return tuple(private.sign(digest, algorithm) for digest in digests)

    def _private(self, key: KeyInfo) -> ec.EllipticCurvePrivateKey:
        self._require_login()
        if self._key is None or _spki(self._key) != key.spki:
            raise _error("key_missing", f"the file {self._shown} does not hold this key")
        return self._key

    def destroy(self, key: KeyInfo) -> None:
        """Removes the key file. Its bytes may stay on the medium, encrypted.

        Raises:
            KeyStoreError: `file.key_missing`, `file.not_logged_in`, `file.unwritable`.
        """
        self._private(key)
        try:
            with _Folder(self._path.parent) as folder:
                folder.remove(self._path.name)
        except OSError as exc:
            raise _error(
                "unwritable", f"the key file {self._shown} cannot be removed: {exc.strerror}"
            ) from exc
        self._key = None

    def plain(self, key: KeyInfo) -> Secret:
        """The private key, not encrypted: one SEC1 block (RFC 5915 §4).

        Raises:
            KeyStoreError: `file.key_missing`, `file.not_logged_in`.
        """
        self._require_login()
        if self._key is None or _spki(self._key) != key.spki:
            raise _error("key_missing", f"the file {self._shown} does not hold this key")
        return Secret(pkcs8.sec1(self._key).decode())

    @property
    def _shown(self) -> str:
        return show(str(self._path))

    def _require_login(self) -> Secret:
        if self._passphrase is None:
            raise _error("not_logged_in", f"the key file {self._shown} is not open")
        return self._passphrase

    def _describe(self, key: ec.EllipticCurvePrivateKey) -> KeyInfo:
        curve = pkcs8.curve_of_key(key)
        if curve is None:
            raise _error("form", f"the key in {self._shown} is on another curve")
        return KeyInfo(label=self._path.stem, key_id="", curve=curve, spki=_spki(key))


class _Folder:
    """A directory held open, so that names in it cannot be swapped for links."""

    def __init__(self, path: Path) -> None:
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise _error(
                "unreadable", f"the folder {show(str(path))} cannot be opened: {exc.strerror}"
            ) from exc
        status = os.fstat(self._handle)
        open_to_all = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in {0, os.geteuid()} or open_to_all:
            os.close(self._handle)
            raise _error("permissions", f"others can write in the folder {show(str(path))}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def exists(self, name: str) -> bool:
        """Whether anything has this name, even a dangling link."""
        try:
            os.stat(name, dir_fd=self._handle, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str) -> None:
        """Removes a name, if it is there."""
        try:
            os.unlink(name, dir_fd=self._handle)
        except FileNotFoundError:
            return
        os.fsync(self._handle)

    def read(self, name: str) -> bytes | None:
        """The whole file, or None if there is none; regular, ours and private."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, dir_fd=self._handle)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise _error(
                "unreadable", f"the key file {show(name)} cannot be opened: {exc.strerror}"
            ) from exc
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            raise _error("unreadable", f"{show(name)} is not a regular file")
        with os.fdopen(handle, "rb") as file:
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                raise _error("permissions", f"others can read or own the key file {show(name)}")
            return file.read(pkcs8.MAX_FILE + 1)

    def write(self, name: str, data: bytes) -> None:
        """A new file, 0600 whatever the umask, synced and out of the page cache."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, flags, 0o600, dir_fd=self._handle)
        try:
            os.fchmod(handle, 0o600)
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)

    def link(self, name: str, final: str) -> None:
        """Gives the file its name; fails if the name is taken. Synced."""
        os.link(
            name, final, src_dir_fd=self._handle, dst_dir_fd=self._handle, follow_symlinks=False
        )
        os.fsync(self._handle)


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


_HINTS = {
    "passphrase_missing": "Type the passphrase that was shown when the key was made.",
    "not_logged_in": "Log in with the passphrase first.",
    "label": "Open the file that is named after the key.",
    "exists": "Look at the file; a key is never overwritten.",
    "unwritable": "Check space and rights of the folder, then repeat.",
    "unreadable": "Check the path; a key file is a regular file, never a link.",
    "read_back": "Distrust this disk; choose another place for the state folder.",
    "permissions": "Take the rights away: chmod 700 FOLDER, chmod 600 FILE, owner yourself.",
    "key_missing": "Open the file that holds the key of this certificate.",
    "form": "Use the file as the ceremony wrote it.",
}


def _error(what: str, sentence: str) -> KeyStoreError:
    return KeyStoreError(f"file.{what}", sentence, hint=_HINTS[what])
