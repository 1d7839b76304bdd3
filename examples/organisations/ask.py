"""What Bob asks, through his own instance (its folder is in ICM_HOME): nobody else hears the answers."""

import icm_ray as icm

with icm.connect() as session:
    print(f"{session.name} has approved {', '.join(session.peers)}")

    # his own pictures stay where they are; his worker reads and shares them, Alice's loads her weights, masked
    lesions = session.peer("bob")["lesions"]
    labels = session.model("skin").predict(lesions, output="label").reveal()
    print(f"labels of {len(lesions)} pictures: {labels.tolist()}")

    # what all three have, as one table: each row stays with its owner, and the answer is of all of them
    visits = session.frame({"alice": "visits", "bob": "visits", "dora": "visits"})
    print(f"mean cost of visits of people from 65 on: {visits[visits['age'] >= 65]['cost'].mean().reveal():.2f}")

    # what Alice does not allow is not computed
    try:
        session.model("skin").predict(lesions, output="logits").reveal()
    except icm.PolicyError as error:
        print(error)
