"""No message that a server may send makes a property of a value raise, and what is read does not change the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flyte_remote_async.entities
import flyte_remote_async.interface
import flyte_remote_async.models
from tests.support.messages import messages
from tests.support.values import properties_of, value_classes

if TYPE_CHECKING:
    from flyte_remote_async.models.message import MessageValue

CLASSES = value_classes(flyte_remote_async.models, flyte_remote_async.entities, flyte_remote_async.interface)


@pytest.mark.parametrize("value_class", CLASSES, ids=lambda value_class: value_class.__name__)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_reading_never_raises_and_never_changes(value_class: type[MessageValue[Any]], data: st.DataObject) -> None:
    message = data.draw(messages(value_class.message_type))
    value = value_class.from_flyte_idl(message)
    first = {name: getattr(value, name) for name in properties_of(value_class)}
    assert {name: getattr(value, name) for name in first} == first
    for text in (repr(value), str(value), value._repr_html_(), value.short_string()):
        assert text
    assert value.to_flyte_idl() == message


@pytest.mark.parametrize("value_class", CLASSES, ids=lambda value_class: value_class.__name__)
def test_an_empty_message_has_all_properties(value_class: type[MessageValue[Any]]) -> None:
    value = value_class.from_flyte_idl(value_class.message_type())
    for name in properties_of(value_class):
        getattr(value, name)
    assert value.to_dict() == {}


@pytest.mark.parametrize("value_class", CLASSES, ids=lambda value_class: value_class.__name__)
def test_values_cannot_be_changed(value_class: type[MessageValue[Any]]) -> None:
    value = value_class.from_flyte_idl(value_class.message_type())
    for name in ["_data", "anything", *properties_of(value_class)]:
        with pytest.raises(AttributeError):
            setattr(value, name, None)
    assert not hasattr(value, "__dict__")


def test_every_property_of_every_value_is_documented() -> None:
    undocumented = [
        f"{value_class.__name__}.{name}"
        for value_class in CLASSES
        for name in properties_of(value_class)
        if not getattr(value_class, name).__doc__
    ]
    assert not undocumented
