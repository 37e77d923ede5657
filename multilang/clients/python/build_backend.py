"""Builds the package: two modules and their metadata in a wheel (PEP 427) or a source archive. Standard library only."""

import base64
import hashlib
import io
import os
import re
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["gearstorm.py", "gearstorm_state.py"]
SOURCES = MODULES + ["build_backend.py", "pyproject.toml", "README.md"]


def _read(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read()


def _project(key):
    return re.search(r'(?m)^%s = "(.*)"$' % key, _read("pyproject.toml").decode()).group(1)


def _metadata():
    head = "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nLicense: %s\nRequires-Python: %s\n" % tuple(
        _project(key) for key in ("name", "version", "description", "license", "requires-python"))
    return (head + "Description-Content-Type: text/markdown\n\n").encode() + _read("README.md")


def _stem():
    return "%s-%s" % (_project("name"), _project("version"))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = _stem() + ".dist-info/"
    files = {module: _read(module) for module in MODULES}
    files[info + "METADATA"] = _metadata()
    files[info + "WHEEL"] = b"Wheel-Version: 1.0\nGenerator: gearstorm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (name, digest, len(data))
    files[info + "RECORD"] = (record + info + "RECORD,,\n").encode()
    wheel = _stem() + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    name = _stem() + ".tar.gz"
    files = {source: _read(source) for source in SOURCES}
    files["PKG-INFO"] = _metadata()
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for file, data in files.items():
            entry = tarfile.TarInfo(_stem() + "/" + file)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return name
