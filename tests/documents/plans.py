"""A plan of each kind, as its script is made of it."""

from ceremony.kinds import Kind

_ROOT = """
[root]
key_store = "token"
[root.token]
module = "/usr/lib/opensc-pkcs11.so"
serial = "DENK0104068"
[root.backup]
method = "vendor"
"""
_FILE_ROOT = '[root]\nkey_store = "file"\n[root.backup]\nmethod = "file"\n'
_TABLES = {
    Kind.CREATE: ('requests = ["tls", "online-ca"]', ""),
    Kind.ADD_DEVICE_CA: ("requests = []", '[[local_ca]]\nname = "line-9"\n'),
    Kind.ROTATE_TLS: ('requests = ["tls"]', ""),
    Kind.AUTHORIZE_EST: ('requests = ["est-tls"]', ""),
    Kind.SIGN_CSR: ("requests = []", '[[sign_csr]]\nname = "plant"\nprofile = "device-ca"\n'),
    Kind.DESTROY_KEY: ("requests = []", '[destroy]\nceremony = "create-20260102-5a5a"\n'),
    Kind.CHECK_BACKUP: ("requests = []", ""),
    Kind.EXPORT_ROOT_KEY: ("requests = []", ""),
}
_CRL = ("requests = []", '[[device_ca]]\nserial = "123456789"\n')


def plan_of(kind: Kind, store: str = "", rules: str = "") -> str:
    """The text of a plan; its root's key is where that kind can have it."""
    requests, tables = _TABLES.get(kind, _CRL)
    head = f'schema = "ceremony-plan/1"\nfactory = "acme"\nuser_id = "5e8a"\nkind = "{kind}"\n'
    in_file = store == "file" or kind is Kind.EXPORT_ROOT_KEY
    return f"{head}{requests}\n{_FILE_ROOT if in_file else _ROOT}{tables}{rules}"
