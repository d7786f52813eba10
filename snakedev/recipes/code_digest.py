"""A digest of Python code as such: comments, docstrings and layout do not enter it."""

import ast
import hashlib

_DIGITS = 16
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_digest(source: str) -> str:
    """The digest of a module's text, the same on every version of Python; raises SyntaxError."""
    return hashlib.sha256(_dump(ast.parse(source)).encode()).hexdigest()[:_DIGITS]


def _dump(node: object) -> str:
    """A syntax tree as text. What is empty is left out: newer Pythons have more such fields."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Constant):
        fields = {"value": node.value}
    inside = ",".join(f"{name}={_dump(value)}" for name, value in fields.items())
    return f"{type(node).__name__}({inside})"
