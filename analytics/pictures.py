"""Pictures of an organisation's catalogue, by name: models predict on them where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from icm_ray.errors import OwnerError

__all__ = ["MockPictures", "Pictures"]


@dataclass(frozen=True, slots=True)
class Pictures:
    """So many images of `owner`'s, which its own worker reads; `session.peer(owner)[name]` finds them.

    Args:
        owner: The organisation that has them.
        name: Theirs in its catalogue.
        count: How many there are.
        mocked: How many mock pictures its owner lets predictions be tried on.
    """

    owner: str
    name: str
    count: int
    mocked: int = 0

    def __len__(self) -> int:
        return self.count

    def mock(self) -> MockPictures:
        """Take mock pictures in their place: a model's `predict` invents answers about these, in the form of real ones.

        Nobody is asked, no model computes, and no quota is used.

        Returns:
            Mock pictures, for `predict`.

        Raises:
            OwnerError: Their owner offers none.

        Examples:
            >>> lesions = session.peer("bob")["lesions"]  # doctest: +SKIP
            >>> session.model("skin").predict(lesions.mock()).reveal()  # doctest: +SKIP
            array([2, 0, 1]) (of mock rows)
        """
        if not self.mocked:
            raise OwnerError(
                f"{self.owner} offers no mock pictures of {self.name!r}; there: icm data {self.name} FILES --mock 16"
            )
        return MockPictures(self.owner, self.name, self.mocked)


@dataclass(frozen=True, slots=True)
class MockPictures:
    """So many mock pictures in the place of `owner`'s: `Pictures.mock` makes them.

    Args:
        owner: The organisation in the place of whose pictures they are.
        name: Theirs in its catalogue.
        count: How many there are.
    """

    owner: str
    name: str
    count: int

    def __len__(self) -> int:
        return self.count
