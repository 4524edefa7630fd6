"""An agent of pydantic-ai with two tools, over each API that the server speaks, against the demo model."""

from __future__ import annotations

import pytest
from pydantic_ai import Agent, ModelSettings
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

NAME = "demo"


def chat_model(base_url: str) -> Model:
    return OpenAIChatModel(NAME, provider=OpenAIProvider(base_url=base_url, api_key="none"))


def responses_model(base_url: str) -> Model:
    return OpenAIResponsesModel(NAME, provider=OpenAIProvider(base_url=base_url, api_key="none"))


def anthropic_model(base_url: str) -> Model:
    url = base_url.removesuffix("/v1")
    return AnthropicModel(NAME, provider=AnthropicProvider(base_url=url, api_key="none"))


MODELS = pytest.mark.parametrize("make_model", [chat_model, responses_model, anthropic_model])


class Tools:
    """What was called, with which arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def get_weather(self, city: str) -> dict[str, object]:
        """Get the weather of a city

        Args:
            city: Name of the city
        """
        self.calls.append(("get_weather", city))
        return {"sky": "sunny", "degrees": 21}

    def get_time(self, city: str) -> dict[str, object]:
        """Get the local time of a city

        Args:
            city: Name of the city
        """
        self.calls.append(("get_time", city))
        return {"time": "13:05"}


def agent_with(model: Model, tools: Tools) -> Agent:
    settings = ModelSettings(temperature=0, max_tokens=200)
    return Agent(model, tools=[tools.get_weather, tools.get_time], model_settings=settings, retries=0)


@MODELS
def test_agent_calls_both_tools_and_answers(base_url: str, make_model) -> None:
    tools = Tools()
    agent = agent_with(make_model(base_url), tools)
    weather = agent.run_sync("What is the weather in Paris?")
    assert tools.calls == [("get_weather", "Paris")]
    assert weather.output == "In Paris it is sunny with 21 degrees."
    time = agent.run_sync("What time is it in Rome?", message_history=weather.all_messages())
    assert tools.calls == [("get_weather", "Paris"), ("get_time", "Rome")]
    assert time.output == "It is 13:05 in Rome."
